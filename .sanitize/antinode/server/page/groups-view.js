/** Groups: search, and one group's properties and events. */

import * as api from "./api.js";
import { html } from "./dom.js";
import { EventLines } from "./event-list.js";
import { ago, count, dateTime } from "./format.js";
import { live, useLive } from "./live.js";
import { useLoaded } from "./loading.js";
import { Empty, Fact, Failure, LinkButton, Typed } from "./parts.js";
import { Properties } from "./properties.js";
import { href, hrefWith, replace, useRoute } from "./router.js";

const REFRESH_MS = 2000;

async function readGroup(type, name, projectId, signal) {
  const group = await api.group(type, name, projectId, signal);
  const query = { group: `${type}:${name}`, project_id: group.project_id, limit: 50 };
  return { group, events: (await api.events(query, signal)).events };
}

function GroupDetail({ type, name, query, onFollow }) {
  const generation = useLive((now) => now.generation);
  const { value, error, reload } = useLoaded(
    (signal) => readGroup(type, name, query.project, signal),
    [type, name, query.project, generation],
    REFRESH_MS,
  );
  if (error && !value) {
    if (error.status !== 404) return html`<${Failure} error=${error} onRetry=${reload} />`;
    return html`<${Empty} title="No such group." testid="no-group"><p>${error.message}</p></${Empty}>`;
  }
  if (!value) return null;
  const { group, events } = value;
  return html`<article data-testid="group-detail">
    <a class="back" href=${href(["groups"], { search: query.search })}>‹ Groups</a>
    <h2 class="id" data-testid="group-title">
      <span class="faint">${group.group_type}:</span>${" "}${group.group_name}
    </h2>
    <dl class="facts">
      <${Fact} label="First seen">${dateTime(group.first_seen)}</${Fact}>
      <${Fact} label="Last seen">
        ${dateTime(group.last_seen)}${" "}<span class="faint">${ago(group.last_seen, live.now)}</span>
      </${Fact}>
      <${Fact} label="Project">${group.project_id}</${Fact}>
    </dl>
    <section>
      <h3>Properties now</h3>
      <${Properties}
        properties=${group.group_properties}
        setBy=${group.set_by}
        now=${live.now}
        label="Group properties"
        testid="group-properties"
      />
    </section>
    <section>
      <h3>Newest events that name it</h3>
      <${EventLines}
        events=${events}
        open=${Number(query.event)}
        onFollow=${onFollow}
        className="timeline"
        testid="group-timeline"
      />
      ${events.length === 0 && html`<p class="faint">None are kept.</p>`}
      <p class="older">
        <${LinkButton} to=${href(["live"], { group: `${type}:${name}` })} testid="group-events">
          All in Live
        </${LinkButton}>
      </p>
    </section>
  </article>`;
}

const describe = (group) => `${group.group_type}, ${count(group.properties, "property", "properties")}`;

export function GroupsView({ onFollow }) {
  const { path, query } = useRoute();
  const [, type, name] = path;
  const search = query.search ?? "";
  const generation = useLive((now) => now.generation);
  const { value, error, reload } = useLoaded(
    (signal) => api.groups(search, signal),
    [search, generation],
    REFRESH_MS,
  );
  const groups = value?.groups ?? [];
  const isOpen = (group) => group.group_type === type && group.group_name === name;
  const linkTo = (group) =>
    href(["groups", group.group_type, group.group_name], { search, project: group.project_id });
  const none = search ? "No group matches." : "No groups yet.";
  return html`<div class=${`view split ${name === undefined ? "" : "has-detail"}`} data-testid="view-groups">
    <h1 class="unseen">Groups</h1>
    <div class="split-list">
      <label class="search">
        <span class="unseen">Search by type or name</span>
        <${Typed}
          type="search"
          placeholder="Group type or name  /"
          data-search
          value=${search}
          data-testid="group-search"
          onValue=${(text) => replace(hrefWith({ search: text }))}
        />
      </label>
      ${error && html`<${Failure} error=${error} onRetry=${reload} />`}
      <ol class="lines" tabindex="0" data-list aria-label="Groups, those seen last first">
        ${groups.map(
          (group) =>
            html`<li key=${`${group.project_id}/${group.group_type}/${group.group_name}`}>
              <a
                data-item
                data-testid="group-row"
                tabindex="-1"
                href=${linkTo(group)}
                aria-current=${isOpen(group) ? "true" : undefined}
              >
                <span class="line-name id">${group.group_name}</span>
                <span class="line-side">${ago(group.last_seen, live.now)}</span>
                <span class="line-more">${describe(group)}</span>
              </a>
            </li>`,
        )}
      </ol>
      ${value && groups.length === 0 && html`<${Empty} title=${none} />`}
    </div>
    <div class="split-detail">
      ${
        name === undefined
          ? html`<${Empty} title="Choose a group to see its properties." />`
          : html`<${GroupDetail}
              key=${`${type}/${name}`}
              type=${type}
              name=${name}
              query=${query}
              onFollow=${onFollow}
            />`
      }
    </div>
  </div>`;
}
