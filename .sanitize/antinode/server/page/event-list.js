/** Events as lines, newest first. */

import { Component, html } from "./dom.js";
import { inline, Time } from "./format.js";
import { live } from "./live.js";
import { EventType, Outcome } from "./parts.js";
import { hrefWith } from "./router.js";

// Shown in columns of their own.
const KNOWN = new Set(["event_type", "user_id", "device_id", "library", "insert_id", "time"]);
const FIRST = ["event_properties", "user_properties", "groups", "group_properties"];

/** The beginning of what else is in an event, without going through all of a large one. */
function preview(event) {
  if (event === null || typeof event !== "object" || Array.isArray(event)) return inline(event, 160);
  const keys = Object.keys(event).filter((key) => !KNOWN.has(key));
  const rank = (key) => (FIRST.includes(key) ? FIRST.indexOf(key) : FIRST.length);
  keys.sort((a, b) => rank(a) - rank(b));
  let text = "";
  for (const key of keys) {
    if (text.length > 160) break;
    const value = event[key];
    text += `${text ? " " : ""}${key === "event_properties" ? "" : `${key}=`}${inline(value, 120)}`;
  }
  return text;
}

/** The worst problem by name, and how many there are besides. */
function FirstProblem({ problems }) {
  if (problems.length === 0) return null;
  const worst = problems.find((each) => each.severity === "error") ?? problems[0];
  const more = problems.length - 1;
  return html`<span
      class=${`tag tone-${worst.severity}`}
      title=${worst.message}
      data-testid="event-row-problem"
      >${worst.code}</span
    >
    ${more > 0 && html`<span class="faint">+${more}</span>`}`;
}

/** One event. Drawn once: nothing in it changes but whether it is the open one. */
class EventLine extends Component {
  shouldComponentUpdate(next) {
    return next.isOpen !== this.props.isOpen;
  }

  // Without its own link in the markup: the address it leads to depends on the filters of the moment.
  open = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    location.hash = hrefWith({ event: this.props.event.seq });
    // Opened by Enter: the reader goes along.
    if (event.detail === 0) this.props.onFollow?.();
  };

  render({ event, isOpen }) {
    const id = event.user_id ?? event.device_id;
    return html`<li>
      <a
        class="event-line"
        href=${`#/live?event=${event.seq}`}
        tabindex="-1"
        data-item
        data-seq=${event.seq}
        data-testid="event-row"
        data-outcome=${event.outcome}
        aria-current=${isOpen ? "true" : undefined}
        onClick=${this.open}
      >
        <span class="event-time"><${Time} at=${event.received_at} /></span>
        <${Outcome} outcome=${event.outcome} isShort />
        <span class="event-type" data-testid="event-row-type"><${EventType} type=${event.event_type} /></span>
        <span class="event-problems">
          <${FirstProblem} problems=${event.problems} />
        </span>
        <span class="event-user">${id ?? html`<i class="faint">no id</i>`}</span>
        <span class="event-library">${event.library ?? ""}</span>
        <span class="event-preview">${preview(event.event)}</span>
      </a>
    </li>`;
  }
}

/** `open` is the `seq` of the event whose details are shown; `onFollow` is called when one is opened by key. */
export function EventLines({ events, open, onFollow, className = "", testid }) {
  return html`<ol class=${`event-lines ${className}`} data-testid=${testid}>
    ${events.map(
      (event) =>
        html`<${EventLine}
          key=${`${live.generation} ${event.seq}`}
          event=${event}
          isOpen=${event.seq === open}
          onFollow=${onFollow}
        />`,
    )}
  </ol>`;
}
