/** Users: search, and one user's timeline and properties. */

import * as api from "./api.js";
import { html } from "./dom.js";
import { EventLines } from "./event-list.js";
import { ago, count, dateTime, number } from "./format.js";
import { live, merged, useLive } from "./live.js";
import { useLoaded } from "./loading.js";
import { Empty, Fact, Failure, LinkButton, Older, Typed } from "./parts.js";
import { Properties } from "./properties.js";
import { href, hrefWith, replace, useRoute } from "./router.js";

const REFRESH_MS = 2000;
const MOST_EVENTS = 100;

// A user may have thousands of devices; those of its last few hold what matters now.
const MOST_DEVICES = 5;

const SHOWN_DEVICES = 8;

/** The newest events of a user with those that its devices sent without a user_id, as {events, nextBefore}. */
async function readTimeline(user, before, signal) {
  const query = { limit: MOST_EVENTS, before, project_id: user.project_id };
  const sources = user.device_ids.slice(0, MOST_DEVICES).map((id) => ({ ...query, device_id: id }));
  if (user.user_id !== null) sources.push({ ...query, user_id: user.user_id });
  const pages = await Promise.all(sources.map((source) => api.events(source, signal)));
  // Beyond the end of the shortest page, events of that source would be missing in between.
  const end = Math.max(0, ...pages.map((page) => page.next_before ?? 0));
  const ofUser = (event) => event.user_id === null || event.user_id === user.user_id;
  const events = merged(
    ...pages.map((page) => page.events.filter((event) => event.seq >= end && ofUser(event))),
  );
  const isCut = events.length > MOST_EVENTS;
  const shown = events.slice(0, MOST_EVENTS);
  return { events: shown, nextBefore: isCut ? shown.at(-1).seq : end || null };
}

async function readUser(id, projectId, before, signal) {
  const user = await api.user(id, projectId, signal);
  return { user, ...(await readTimeline(user, before, signal)) };
}

function UserDetail({ id, query, onFollow }) {
  const { project, before } = query;
  const generation = useLive((now) => now.generation);
  const { value, error, reload } = useLoaded(
    (signal) => readUser(id, project, before, signal),
    [id, project, before, generation],
    REFRESH_MS,
  );
  if (error && !value) {
    if (error.status !== 404) return html`<${Failure} error=${error} onRetry=${reload} />`;
    return html`<${Empty} title="No such user." testid="no-user"><p>${error.message}</p></${Empty}>`;
  }
  if (!value) return null;
  const { user, events, nextBefore } = value;
  const devices = user.device_ids;
  const more = devices.length - SHOWN_DEVICES;
  const filter = user.user_id === null ? { device_id: devices[0] } : { user_id: user.user_id };
  return html`<article data-testid="user-detail">
    <a class="back" href=${href(["users"], { search: query.search })}>‹ Users</a>
    <h2 class="id" data-testid="user-title">${user.user_id ?? user.device_ids[0] ?? id}</h2>
    <dl class="facts">
      <${Fact} label=${devices.length === 1 ? "Device" : "Devices"}>
        <span class="ids">
          ${devices.slice(0, SHOWN_DEVICES).map((device) => html`<span class="id">${device}</span>`)}
          ${more > 0 && html`<span class="faint">${`and ${more} more`}</span>`}
          ${devices.length === 0 && html`<i class="faint">none</i>`}
        </span>
      </${Fact}>
      <${Fact} label="Events">
        ${number(user.events)}${" "}<a href=${href(["live"], filter)} data-testid="user-events">in Live</a>
      </${Fact}>
      <${Fact} label="First seen">${dateTime(user.first_seen)}</${Fact}>
      <${Fact} label="Last seen">
        ${dateTime(user.last_seen)}${" "}<span class="faint">${ago(user.last_seen, live.now)}</span>
      </${Fact}>
      <${Fact} label="amplitude_id">
        ${user.amplitude_id}${" "}<span class="faint">${`in project ${user.project_id}`}</span>
      </${Fact}>
    </dl>
    <section>
      <h3>Properties now</h3>
      <${Properties}
        properties=${user.user_properties}
        setBy=${user.set_by}
        now=${live.now}
        label="User properties"
        testid="user-properties"
      />
    </section>
    <section>
      <h3>Profile fields</h3>
      <${Properties} properties=${user.fields} label="Profile fields" testid="user-fields" />
    </section>
    <section>
      <h3>Timeline</h3>
      <${EventLines}
        events=${events}
        open=${Number(query.event)}
        onFollow=${onFollow}
        className="timeline"
        testid="user-timeline"
      />
      ${events.length === 0 && html`<p class="faint">No events are kept here.</p>`}
      <p class="older">
        ${before && html`<${LinkButton} to=${hrefWith({ before: null })} testid="newest">Newest</${LinkButton}>`}${" "}
        ${nextBefore !== null && html`<${Older} before=${nextBefore} />`}
      </p>
    </section>
  </article>`;
}

function describe(user) {
  const events = count(user.events, "event");
  if (user.user_id === null) return `${events}, anonymous`;
  return user.device_id === null ? events : `${events}, device ${user.device_id}`;
}

export function UsersView({ onFollow }) {
  const { path, query } = useRoute();
  const id = path[1];
  const search = query.search ?? "";
  const generation = useLive((now) => now.generation);
  const { value, error, reload } = useLoaded(
    (signal) => api.users(search, signal),
    [search, generation],
    REFRESH_MS,
  );
  const users = value?.users ?? [];
  const none = search ? "No user or device matches." : "No users yet.";
  const isOpen = (user) =>
    id !== undefined && (user.user_id === id || (user.user_id === null && user.device_id === id));
  return html`<div class=${`view split ${id === undefined ? "" : "has-detail"}`} data-testid="view-users">
    <h1 class="unseen">Users</h1>
    <div class="split-list">
      <label class="search">
        <span class="unseen">Search by user or device id</span>
        <${Typed}
          type="search"
          placeholder="User or device id  /"
          data-search
          value=${search}
          data-testid="user-search"
          onValue=${(text) => replace(hrefWith({ search: text }))}
        />
      </label>
      ${error && html`<${Failure} error=${error} onRetry=${reload} />`}
      <ol class="lines" tabindex="0" data-list aria-label="Users, those seen last first">
        ${users.map((user) => {
          const name = user.user_id ?? user.device_id ?? String(user.amplitude_id);
          return html`<li key=${user.amplitude_id}>
            <a
              data-item
              data-testid="user-row"
              tabindex="-1"
              href=${href(["users", name], { search, project: user.project_id })}
              aria-current=${isOpen(user) ? "true" : undefined}
            >
              <span class="line-name id">${name}</span>
              <span class="line-side">${ago(user.last_seen, live.now)}</span>
              <span class="line-more">${describe(user)}</span>
            </a>
          </li>`;
        })}
      </ol>
      ${value && users.length === 0 && html`<${Empty} title=${none} />`}
    </div>
    <div class="split-detail">
      ${
        id === undefined
          ? html`<${Empty} title="Choose a user to see its properties and timeline." />`
          : html`<${UserDetail} key=${id} id=${id} query=${query} onFollow=${onFollow} />`
      }
    </div>
  </div>`;
}
