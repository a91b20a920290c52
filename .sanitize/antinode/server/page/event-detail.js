/** Everything about one event: what happened to it, what is wrong with it, and how it came. */

import * as api from "./api.js";
import { html, useEffect, useRef } from "./dom.js";
import { dateTime, duration, Json, jsonText, number, own, Prose, size, span, Time } from "./format.js";
import { closeEvent } from "./keys.js";
import { useLive } from "./live.js";
import { useLoaded } from "./loading.js";
import { Copy, EventType, Fact, Failure, Outcome, Status } from "./parts.js";
import { Properties } from "./properties.js";
import { href, hrefWith } from "./router.js";

/** For an event without an insert_id, of which the server can tell no history. */
const SUMMARIES = {
  accepted:
    "Stored. It came without an insert_id, so that it cannot be told from another that is sent the same way.",
  duplicate: "Not stored again: it was stored before.",
  rejected: "Refused: the answer named it. What to change is below.",
  returned:
    "Not stored. Nothing is wrong with it, but its request was refused as a whole; its sender has to send it again.",
};

async function readArrival(seq, signal) {
  const event = await api.arrival(seq, signal);
  if (!event) throw new api.ApiError(404, `Event number ${seq} is not kept any more, or has not come yet.`);
  if (event.insert_id === null)
    return { event, history: null, upload: await readUpload(event.upload_id, signal) };
  const history = await api.event(event.insert_id, signal).catch(unlessForgotten);
  const arrival = history?.arrivals.find((each) => each.event.seq === seq);
  return { event, history, upload: arrival ? arrival.upload : await readUpload(event.upload_id, signal) };
}

async function readHistory(insertId, signal) {
  const history = await api.event(insertId, signal);
  // The arrival that the outcome is of.
  const arrival =
    history.arrivals.find((each) => each.event.outcome === history.outcome) ?? history.arrivals.at(-1);
  return { event: arrival.event, history, upload: arrival.upload };
}

async function readUpload(id, signal) {
  const detail = await api.upload(id, signal).catch(unlessForgotten);
  return detail?.upload ?? null;
}

function unlessForgotten(error) {
  if (error.status !== 404) throw error;
  return null;
}

function Problems({ problems }) {
  if (!problems.length) return null;
  return html`<ul class="problems" data-testid="event-problems">
    ${problems.map(
      (each) =>
        html`<li class=${`problem tone-${each.severity}`}>
          <p class="problem-head">
            <span class="tag">${each.severity}</span>${" "}<code>${each.field}</code>
            <a class="faint" href=${href(["live"], { problem: each.code })}>${each.code}</a>
          </p>
          <p class="problem-message"><${Prose} text=${each.message} /></p>
        </li>`,
    )}
  </ul>`;
}

/** How an event's own time relates to when it came. */
function When({ event }) {
  if (event.time === null) {
    const isThere =
      event.event !== null && typeof event.event === "object" && (event.event.time ?? null) !== null;
    return html`<i class="faint"
      >${isThere ? "not one that can be read" : "none: that of its upload counts"}</i
    >`;
  }
  const late = event.received_at - event.time;
  const relation =
    Math.abs(late) < 1 ? "as it came" : `${span(late)} ${late > 0 ? "before" : "after"} it came`;
  return html`${dateTime(event.time)}${" "}<span class="faint">${relation}</span>`;
}

/** An id that leads on, if the event has it. */
function Known({ id, link }) {
  return id === null ? html`<i class="faint">none</i>` : html`<a class="id" href=${link(id)}>${id}</a>`;
}

function Facts({ event }) {
  const userLink = (id) => href(["users", id], { project: event.project_id });
  return html`<dl class="facts">
    <${Fact} label="Came">
      ${dateTime(event.received_at)}${" "}<span class="faint">number ${event.seq}</span>
    </${Fact}>
    <${Fact} label="Its time"><${When} event=${event} /></${Fact}>
    <${Fact} label="User"><${Known} id=${event.user_id} link=${userLink} /></${Fact}>
    <${Fact} label="Device"><${Known} id=${event.device_id} link=${userLink} /></${Fact}>
    <${Fact} label="Library">
      <${Known} id=${event.library} link=${(library) => href(["live"], { library })} />
    </${Fact}>
    <${Fact} label="insert_id">
      <${Known} id=${event.insert_id} link=${(id) => href(["event", id])} />
    </${Fact}>
  </dl>`;
}

function Upload({ event, upload }) {
  if (!upload) return html`<p class="faint">Upload ${event.upload_id} is not kept any more.</p>`;
  const place = `, event ${number(event.position + 1)} of ${number(upload.events)}`;
  const inflated = upload.encoding && ` ${upload.encoding}, ${size(upload.body_size)} inflated`;
  return html`<dl class="facts" data-testid="event-request">
      <${Fact} label="Upload">
        <a href=${href(["uploads"], { upload: upload.id })}>${upload.id}</a>${place}
      </${Fact}>
      <${Fact} label="Request">
        <code>${upload.method} ${upload.path}</code>${" "}
        <span class="faint">took ${duration(upload.duration_us)}</span>
      </${Fact}>
      <${Fact} label="Answer"><${Status} status=${upload.status} />${" "}${upload.error}</${Fact}>
      ${upload.fault && html`<${Fact} label="Fault"><code>${upload.fault}</code></${Fact}>`}
      <${Fact} label="Size">${size(upload.wire_size)}${inflated}</${Fact}>
      ${upload.user_agent && html`<${Fact} label="User-Agent">${upload.user_agent}</${Fact}>`}
    </dl>
    ${upload.answer && html`<pre class="answer" tabindex="0">${upload.answer}</pre>`}`;
}

function Arrivals({ arrivals, seq }) {
  return html`<ol class="arrivals" data-testid="event-arrivals">
    ${arrivals.map(
      ({ event, upload }) =>
        html`<li key=${event.seq} class=${event.seq === seq ? "is-this" : ""}>
          <a href=${hrefWith({ event: event.seq })}><${Time} at=${event.received_at} /></a>
          <${Outcome} outcome=${event.outcome} />
          <span class="faint">
            upload${" "}<a href=${href(["uploads"], { upload: event.upload_id })}>${event.upload_id}</a>
            ${upload ? ` answered ${upload.status || "by closing the connection"}` : ""}
          </span>
        </li>`,
    )}
  </ol>`;
}

function Stood({ arrival }) {
  const groups = Object.entries(arrival.group_properties ?? {}).flatMap(([type, byName]) =>
    Object.entries(byName).map(([name, properties]) => ({ type, name, properties })),
  );
  return html`
    ${
      arrival.user_properties &&
      html`<section>
        <h3>User properties after it</h3>
        <${Properties}
          properties=${arrival.user_properties}
          label="User properties after this event"
          testid="event-user-properties"
        />
      </section>`
    }
    ${groups.map(
      ({ type, name, properties }) =>
        html`<section key=${`${type}:${name}`}>
          <h3>Group${" "}<a href=${href(["groups", type, name])}>${type}: ${name}</a>${" "}after it</h3>
          <${Properties}
            properties=${properties}
            label="Group properties after this event"
            testid="event-group-properties"
          />
        </section>`,
    )}
    ${
      arrival.row &&
      html`<details>
        <summary><h3>Row in the Export API</h3></summary>
        <${Json} value=${arrival.row} />
      </details>`
    }
  `;
}

function Body({ event, history, upload }) {
  const arrivals = history?.arrivals ?? [];
  const stood = arrivals.find((each) => each.event.seq === event.seq) ?? arrivals.find((each) => each.row);
  return html`
    <section class="what-happened">
      <${Outcome} outcome=${event.outcome} />
      <p data-testid="event-summary"><${Prose} text=${history?.summary ?? own(SUMMARIES, event.outcome)} /></p>
    </section>
    <${Problems} problems=${event.problems} />
    <section><${Facts} event=${event} /></section>
    <section>
      <div class="section-head">
        <h3>Event as sent</h3>
        <${Copy} text=${() => jsonText(event.event)} label="Copy JSON" testid="copy-event" />
      </div>
      <div data-testid="event-json"><${Json} value=${event.event} /></div>
    </section>
    <section>
      <h3>Its request</h3>
      <${Upload} event=${event} upload=${upload} />
    </section>
    ${
      arrivals.length > 0 &&
      html`<section>
        <h3>${arrivals.length === 1 ? "Came once" : `Came ${arrivals.length} times`}</h3>
        <${Arrivals} arrivals=${arrivals} seq=${event.seq} />
      </section>`
    }
    ${stood && html`<${Stood} arrival=${stood} />`}
  `;
}

/** The open event beside a list. `follow.current` is how a list sends the reader's focus here. */
export function EventPanel({ seq, follow }) {
  const generation = useLive((live) => live.generation);
  const { value, error, reload } = useLoaded((signal) => readArrival(seq, signal), [seq, generation]);
  const panel = useRef(null);
  const heading = useRef(null);
  useEffect(() => {
    panel.current.scrollTop = 0;
    if (!follow.current) return;
    follow.current = false;
    heading.current.focus();
  }, [seq]);
  return html`<aside
    class="panel"
    ref=${panel}
    data-scrolls
    aria-label="Event"
    data-testid="event-detail"
    aria-busy=${value === null && error === null}
  >
    <header class="panel-head">
      <h2 tabindex="-1" ref=${heading}>
        ${value ? html`<${EventType} type=${value.event.event_type} />` : `Event ${seq}`}
      </h2>
      <button
        type="button"
        class="icon-button"
        aria-label="Close the event (Escape)"
        title="Close (Escape)"
        data-testid="close-event"
        onClick=${closeEvent}
      >
        ✕
      </button>
    </header>
    <div class="panel-body">
      ${error && html`<${Failure} error=${error} onRetry=${reload} />`}
      ${value && html`<${Body} key=${seq} ...${value} />`}
    </div>
  </aside>`;
}

/** One event by its insert_id, as a view of its own: the answer to "why is it missing". */
export function EventView({ insertId }) {
  const generation = useLive((live) => live.generation);
  const { value, error, reload } = useLoaded(
    (signal) => readHistory(insertId, signal),
    [insertId, generation],
    2000,
  );
  const isUnknown = error?.status === 404;
  return html`<div class="view page" data-testid="event-view">
    <h1 class="id">${insertId}</h1>
    ${error && !isUnknown && html`<${Failure} error=${error} onRetry=${reload} />`}
    ${
      isUnknown &&
      html`<div class="card">
        <p><b>No event with this insert_id has come.</b>${" "}${error.message}</p>
        <p>
          It may still wait in its client's queue, or have been dropped there (look for the client's log and
          counters), have gone to another server URL, or be older than what this server keeps. A request that
          could not be read at all is under${" "}<a href=${href(["uploads"], { failed: "true" })}
            >failed uploads</a
          >.
        </p>
      </div>`
    }
    ${
      value &&
      html`<div class="card">
        <h2><${EventType} type=${value.event.event_type} /></h2>
        <${Body} ...${value} />
      </div>`
    }
  </div>`;
}
