/** Schema: the event types that came, and what their properties are like. */

import * as api from "./api.js";
import { html } from "./dom.js";
import { ago, count, dateTime, number, percent } from "./format.js";
import { live, useLive } from "./live.js";
import { useLoaded } from "./loading.js";
import { Empty, EventType, Fact, Failure, LinkButton, Typed } from "./parts.js";
import { href, hrefWith, replace, useRoute } from "./router.js";

const REFRESH_MS = 2000;

function Types({ property }) {
  return Object.entries(property.types).map(
    ([type, events], place) =>
      html`<span key=${type}>
        ${place > 0 && ", "}${type}
        ${events < property.events && html`<span class="faint">${" "}${percent(events / property.events)}</span>`}
      </span>`,
  );
}

function PropertyRow({ property, events, now }) {
  const share = property.events / events;
  return html`<tr data-testid="schema-property">
    <th scope="row">${property.name}</th>
    <td><${Types} property=${property} /></td>
    <td class="schema-share">
      <span class="bar-track"><span class="bar-fill bar-accent" style=${{ width: `${100 * share}%` }}></span></span>
      ${" "}${percent(share)}
    </td>
    <td class="schema-examples">
      ${property.examples.map((each) => html`<code key=${each}>${each}</code>${" "}`)}
    </td>
    <td class="schema-seen" title=${`first ${dateTime(property.first_seen)}`}>${ago(property.last_seen, now)}</td>
  </tr>`;
}

function Detail({ found, query }) {
  return html`<article data-testid="schema-detail">
    <a class="back" href=${href(["schema"], { search: query.search })}>‹ Event types</a>
    <h2 data-testid="schema-title"><${EventType} type=${found.event_type} /></h2>
    <dl class="facts">
      <${Fact} label="Events">${number(found.events)}</${Fact}>
      <${Fact} label="First seen">${dateTime(found.first_seen)}</${Fact}>
      <${Fact} label="Last seen">
        ${dateTime(found.last_seen)}${" "}<span class="faint">${ago(found.last_seen, live.now)}</span>
      </${Fact}>
    </dl>
    ${
      found.properties.length === 0
        ? html`<p class="faint">No event of this type has properties.</p>`
        : html`<div class="table-scroll" data-scrolls tabindex="0">
            <table class="schema-table" aria-label="Properties">
              <thead>
                <tr>
                  <th scope="col">Property</th>
                  <th scope="col">Type</th>
                  <th scope="col">Filled</th>
                  <th scope="col">Examples</th>
                  <th scope="col">Last seen</th>
                </tr>
              </thead>
              <tbody>
                ${found.properties.map(
                  (each) =>
                    html`<${PropertyRow} key=${each.name} property=${each} events=${found.events} now=${live.now} />`,
                )}
              </tbody>
            </table>
          </div>`
    }
    <p class="older">
      <${LinkButton} to=${href(["live"], { event_type: found.event_type })} testid="schema-events">
        All in Live
      </${LinkButton}>
    </p>
  </article>`;
}

const holds = (text, search) => text.toLowerCase().includes(search.toLowerCase());

export function SchemaView() {
  const { path, query } = useRoute();
  const [, name] = path;
  const search = query.search ?? "";
  const generation = useLive((now) => now.generation);
  const { value, error, reload } = useLoaded((signal) => api.schema(signal), [generation], REFRESH_MS);
  const types = (value?.event_types ?? []).filter(
    (each) => holds(each.event_type, search) || each.properties.some((own) => holds(own.name, search)),
  );
  const found = value?.event_types.find((each) => each.event_type === name);
  const none = search ? "No event type or property matches." : "No events yet.";
  return html`<div class=${`view split ${name === undefined ? "" : "has-detail"}`} data-testid="view-schema">
    <h1 class="unseen">Schema</h1>
    <div class="split-list">
      <label class="search">
        <span class="unseen">Search by event type or property</span>
        <${Typed}
          type="search"
          placeholder="Event type or property  /"
          data-search
          value=${search}
          data-testid="schema-search"
          onValue=${(text) => replace(hrefWith({ search: text }))}
        />
      </label>
      ${error && html`<${Failure} error=${error} onRetry=${reload} />`}
      ${value?.unread > 0 && html`<p class="faint" role="status">${count(value.unread, "event")} still to be read…</p>`}
      <ol class="lines" tabindex="0" data-list aria-label="Event types, the most frequent first">
        ${types.map(
          (each) =>
            html`<li key=${each.event_type}>
              <a
                data-item
                data-testid="schema-row"
                tabindex="-1"
                href=${href(["schema", each.event_type], { search })}
                aria-current=${each.event_type === name ? "true" : undefined}
              >
                <span class="line-name"><${EventType} type=${each.event_type} /></span>
                <span class="line-side">${number(each.events)}</span>
                <span class="line-more">
                  ${count(each.properties.length, "property", "properties")}, ${ago(each.last_seen, live.now)}
                </span>
              </a>
            </li>`,
        )}
      </ol>
      ${value && types.length === 0 && html`<${Empty} title=${none} />`}
    </div>
    <div class="split-detail">
      ${
        found
          ? html`<${Detail} key=${name} found=${found} query=${query} />`
          : html`<${Empty}
              title=${name === undefined ? "Choose an event type to see its properties." : "No such event type came."}
            />`
      }
    </div>
  </div>`;
}
