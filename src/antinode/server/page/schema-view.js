/** Schema: the event types that came, and what their properties are like. */

import * as api from "./api.js";
import { html, useEffect } from "./dom.js";
import { ago, count, dateTime, number, percent } from "./format.js";
import { live, useLive } from "./live.js";
import { useLoaded } from "./loading.js";
import { Empty, EventType, Fact, Failure, LinkButton, Typed } from "./parts.js";
import { Deviations, deviates, Mark } from "./plan-marks.js";
import { href, hrefWith, replace, useRoute } from "./router.js";

const REFRESH_MS = 2000;
const UNREAD_MS = 100;

function Types({ property }) {
  return Object.entries(property.types).map(
    ([type, events], place) =>
      html`<span key=${type}>
        ${place > 0 && ", "}${type}
        ${events < property.events && html`<span class="faint">${" "}${percent(events / property.events)}</span>`}
      </span>`,
  );
}

/** The types that are planned, where others were seen or the plan has the property alone. */
function PlannedTypes({ plan }) {
  if (!["missing", "mistyped", "incomplete"].includes(plan?.mark)) return null;
  return html`<span class="schema-planned" data-testid="planned-types">
    planned: ${plan.types.length === 0 ? "any" : plan.types.join(", ")}${plan.is_required && ", required"}
  </span>`;
}

function PropertyRow({ property, events, now }) {
  const share = events > 0 ? property.events / events : null;
  const plan = property.plan;
  return html`<tr data-testid="schema-property">
    <th scope="row">${property.name}${" "}<${Mark} seen=${property} /></th>
    <td>
      <${Types} property=${property} />
      <${PlannedTypes} plan=${plan} />
    </td>
    <td class="schema-share">
      ${
        share === null || share === 0
          ? number(property.events)
          : html`<span class="bar-track"
                ><span class="bar-fill bar-accent" style=${{ width: `${100 * share}%` }}></span></span
              >${" "}${percent(share)}`
      }
    </td>
    <td class="schema-examples">
      ${property.examples.map((each) => html`<code key=${each}>${each}</code>${" "}`)}
      ${plan?.description && html`<p class="faint">${plan.description}</p>`}
      ${plan && html`<${Deviations} deviations=${plan.deviations} />`}
    </td>
    <td
      class="schema-seen"
      title=${property.first_seen === null ? undefined : `first ${dateTime(property.first_seen)}`}
    >
      ${property.last_seen === null ? "never" : ago(property.last_seen, now)}
    </td>
  </tr>`;
}

/** `events`: of how many the share is; 0 where the number of events is told instead. */
function Properties({ properties, events, query, none }) {
  const shown = query.deviating ? properties.filter(deviates) : properties;
  if (shown.length === 0)
    return html`<p class="faint">${properties.length === 0 ? none : "All properties are as planned."}</p>`;
  return html`<div class="table-scroll" data-scrolls tabindex="0">
    <table class="schema-table" aria-label="Properties">
      <thead>
        <tr>
          <th scope="col">Property</th>
          <th scope="col">Type</th>
          <th scope="col">${events > 0 ? "Filled" : "Events"}</th>
          <th scope="col">Examples</th>
          <th scope="col">Last seen</th>
        </tr>
      </thead>
      <tbody>
        ${shown.map(
          (each) => html`<${PropertyRow} key=${each.name} property=${each} events=${events} now=${live.now} />`,
        )}
      </tbody>
    </table>
  </div>`;
}

function Back({ query }) {
  return html`<a class="back" href=${href(["schema"], kept(query))}>‹ Event types</a>`;
}

function Detail({ found, query }) {
  const plan = found.plan;
  return html`<article data-testid="schema-detail">
    <${Back} query=${query} />
    <h2 data-testid="schema-title">
      <${EventType} type=${found.event_type} />${" "}<${Mark} seen=${found} />
    </h2>
    ${plan?.description && html`<p>${plan.description}</p>`}
    <dl class="facts">
      <${Fact} label="Events">${number(found.events)}</${Fact}>
      ${
        found.events > 0 &&
        html`<${Fact} label="First seen">${dateTime(found.first_seen)}</${Fact}>
          <${Fact} label="Last seen">
            ${dateTime(found.last_seen)}${" "}<span class="faint">${ago(found.last_seen, live.now)}</span>
          </${Fact}>`
      }
      ${plan?.owners.length > 0 && html`<${Fact} label="Owners">${plan.owners.join(", ")}</${Fact}>`}
    </dl>
    <${Properties}
      properties=${found.properties}
      events=${found.events}
      query=${query}
      none="No event of this type has properties."
    />
    <p class="older">
      <${LinkButton} to=${href(["live"], { event_type: found.event_type })} testid="schema-events">
        All in Live
      </${LinkButton}>
    </p>
  </article>`;
}

function Held({ held, query }) {
  return html`<article data-testid="schema-detail">
    <${Back} query=${query} />
    <h2 data-testid="schema-title">${held.title}</h2>
    <${Properties} properties=${held.properties} events=${0} query=${query} none="Nothing was written." />
  </article>`;
}

/** The plan that the server was given, and how far what came is from it; and what came as a plan. */
function Plan({ value, query }) {
  const plan = value.plan;
  return html`<div class="schema-plan" data-testid="schema-plan">
    ${
      plan?.error &&
      html`<div class="schema-plan-error" role="alert" data-testid="schema-plan-error">
        <p>The plan has changed and cannot be read; the one before stays in force.</p>
        <pre>${plan.error}</pre>
      </div>`
    }
    ${
      plan &&
      html`<label>
        <input
          type="checkbox"
          checked=${Boolean(query.deviating)}
          onChange=${(event) => replace(hrefWith({ deviating: event.target.checked ? "1" : null }))}
          data-testid="schema-deviating"
        />
        ${" "}Not as planned <span class="faint">(${number(plan.deviating)})</span>
      </label>`
    }
    <span class="schema-export">
      ${plan ? "Merged plan" : "As a plan"}:${" "}
      <a href="/api/schema/tracking-plan.yaml" download data-testid="plan-yaml">YAML</a>,${" "}
      <a href="/api/schema/tracking-plan.json" download data-testid="plan-json">JSON</a>
    </span>
  </div>`;
}

const holds = (text, search) => text.toLowerCase().includes(search.toLowerCase());
const kept = (query) => ({ search: query.search, deviating: query.deviating });

/** User properties, and those of each group type, as entries of the list. */
function heldIn(value) {
  const entries = [
    { of: "user", title: "User properties", properties: value.user_properties },
    ...value.group_types.map((each) => ({
      of: `group:${each.group_type}`,
      title: `Group properties: ${each.group_type}`,
      properties: each.properties,
    })),
  ];
  return entries.filter((each) => each.properties.length > 0);
}

function isListed({ title, properties, isOff }, { search = "", deviating }) {
  const isFound = holds(title, search) || properties.some((own) => holds(own.name, search));
  return isFound && (!deviating || isOff);
}

function Line({ to, isOpen, name, mark, side, more }) {
  return html`<li>
    <a data-item data-testid="schema-row" tabindex="-1" href=${to} aria-current=${isOpen ? "true" : undefined}>
      <span class="line-name">${name}${" "}${mark}</span>
      <span class="line-side">${side}</span>
      <span class="line-more">${more}</span>
    </a>
  </li>`;
}

function properties(listed) {
  const off = listed.filter(deviates).length;
  return `${count(listed.length, "property", "properties")}${off ? `, ${number(off)} not as planned` : ""}`;
}

function List({ value, name, query }) {
  const types = value.event_types.filter((each) =>
    isListed({ title: each.event_type, properties: each.properties, isOff: deviates(each) }, query),
  );
  const held = heldIn(value).filter((each) =>
    isListed({ ...each, isOff: each.properties.some(deviates) }, query),
  );
  const none = query.search
    ? "No event type or property matches."
    : query.deviating
      ? "Everything is as planned."
      : "No events yet.";
  return html`<ol class="lines" tabindex="0" data-list aria-label="Event types, the most frequent first">
      ${types.map(
        (each) => html`<${Line}
          key=${each.event_type}
          to=${href(["schema", each.event_type], kept(query))}
          isOpen=${each.event_type === name}
          name=${html`<${EventType} type=${each.event_type} />`}
          mark=${html`<${Mark} seen=${each} />`}
          side=${number(each.events)}
          more=${`${properties(each.properties)}, ${each.last_seen === null ? "never seen" : ago(each.last_seen, live.now)}`}
        />`,
      )}
      ${held.map(
        (each) => html`<${Line}
          key=${`of ${each.of}`}
          to=${href(["schema"], { ...kept(query), of: each.of })}
          isOpen=${each.of === query.of}
          name=${html`<i>${each.title}</i>`}
          more=${properties(each.properties)}
        />`,
      )}
    </ol>
    ${types.length + held.length === 0 && html`<${Empty} title=${none} />`}`;
}

export function SchemaView() {
  const { path, query } = useRoute();
  const [, name] = path;
  const generation = useLive((now) => now.generation);
  const { value, error, reload } = useLoaded((signal) => api.schema(signal), [generation], REFRESH_MS);
  useEffect(() => {
    if (!value?.unread) return undefined;
    const timer = setTimeout(reload, UNREAD_MS);
    return () => clearTimeout(timer);
  }, [value]);
  const found = value?.event_types.find((each) => each.event_type === name);
  const held = value && query.of ? heldIn(value).find((each) => each.of === query.of) : undefined;
  const isOpen = name !== undefined || query.of !== undefined;
  return html`<div class=${`view split ${isOpen ? "has-detail" : ""}`} data-testid="view-schema">
    <h1 class="unseen">Schema</h1>
    <div class="split-list">
      <label class="search">
        <span class="unseen">Search by event type or property</span>
        <${Typed}
          type="search"
          placeholder="Event type or property  /"
          data-search
          value=${query.search ?? ""}
          data-testid="schema-search"
          onValue=${(text) => replace(hrefWith({ search: text }))}
        />
      </label>
      ${value && html`<${Plan} value=${value} query=${query} />`}
      ${error && html`<${Failure} error=${error} onRetry=${reload} />`}
      ${value?.unread > 0 && html`<p class="faint schema-unread" role="status">${count(value.unread, "event")} still to be read…</p>`}
      ${value && html`<${List} value=${value} name=${name} query=${query} />`}
    </div>
    <div class="split-detail">
      ${
        found
          ? html`<${Detail} key=${name} found=${found} query=${query} />`
          : held
            ? html`<${Held} key=${held.of} held=${held} query=${query} />`
            : html`<${Empty}
                title=${name === undefined ? "Choose an event type to see its properties." : "No such event type came."}
              />`
      }
    </div>
  </div>`;
}
