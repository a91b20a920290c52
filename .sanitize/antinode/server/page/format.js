/** Numbers, times, sizes and JSON as a person reads them. Everything here gives text or text nodes. */

import { ExactNumber } from "./api.js";
import { html } from "./dom.js";

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const two = (value) => String(value).padStart(2, "0");

/** What `object` holds under a name from outside, which may be `constructor`; null if that is nothing. */
export const own = (object, name) => (Object.hasOwn(object, name) ? object[name] : null);

/** 1,234,567 */
export const number = (value) => grouped.format(value);

/** 1.2M */
export const compact = (value) => short.format(value);

/** 1 event, 2,000 events */
export const count = (value, singular, plural = `${singular}s`) =>
  `${number(value)} ${value === 1 ? singular : plural}`;

/** 3.4%, and never a 0% or 100% that is not quite so. */
export function percent(share) {
  if (share > 0 && share < 0.001) return "<0.1%";
  if (share < 1 && share > 0.999) return ">99.9%";
  return `${grouped.format(share * 100)}%`;
}

/** 1.2 kB, in steps of a thousand as the API's limits are. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(bytes < 1e4 ? 1 : 0)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** From microseconds: 840 µs, 12.3 ms, 2.1 s. */
export function duration(us) {
  if (us < 1000) return `${us} µs`;
  if (us < 1e6) return `${(us / 1e3).toFixed(us < 1e4 ? 1 : 0)} ms`;
  return `${(us / 1e6).toFixed(1)} s`;
}

/** 18:46:10.123 by the reader's own clock. */
export function timeOfDay(ms) {
  const at = new Date(ms);
  const millis = String(at.getMilliseconds()).padStart(3, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${millis}`;
}

/** 2026-11-04 18:46:10.123 by the reader's own clock; a number beyond any date as it is. */
export function dateTime(ms) {
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return String(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${timeOfDay(ms)}`;
}

/** How long a span of time is, roughly: 4 s, 12 min, 3 h, 5 days. */
export function span(ms) {
  const seconds = Math.abs(ms) / 1000;
  if (seconds < 1) return `${Math.round(Math.abs(ms))} ms`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${number(Math.round(seconds / 86_400))} days`;
}

/** 4 s ago */
export const ago = (ms, now) => (now - ms < 1000 ? "just now" : `${span(now - ms)} ago`);

/** The time of day, or with the month and day if it is not today's; the whole date at hand. */
export function Time({ at }) {
  const date = new Date(at);
  const whole = dateTime(at);
  if (Number.isNaN(date.getTime())) return whole;
  const isToday = date.toDateString() === new Date().toDateString();
  return html`<time datetime=${date.toISOString()} title=${whole}
    >${isToday ? timeOfDay(at) : whole.slice(5, 19)}</time
  >`;
}

/** A sentence of the server's, with what it put in backticks as code. */
export function Prose({ text }) {
  return text.split(/`([^`]+)`/).map((piece, index) => (index % 2 ? html`<code>${piece}</code>` : piece));
}

/** The pieces of a pretty-printed JSON value, as [kind, text]. */
function* pieces(value, indent = "") {
  if (value === null) yield ["null", "null"];
  else if (value instanceof ExactNumber) yield ["number", value.source];
  else if (typeof value !== "object") yield [typeof value, JSON.stringify(value)];
  else {
    const isList = Array.isArray(value);
    const entries = isList ? value.map((item) => [null, item]) : Object.entries(value);
    const inner = `${indent}  `;
    if (entries.length === 0) return yield ["mark", isList ? "[]" : "{}"];
    yield ["mark", isList ? "[" : "{"];
    for (const [index, [key, item]] of entries.entries()) {
      yield ["mark", `${index ? "," : ""}\n${inner}`];
      if (!isList) {
        yield ["key", JSON.stringify(key)];
        yield ["mark", ": "];
      }
      yield* pieces(item, inner);
    }
    yield ["mark", `\n${indent}${isList ? "]" : "}"}`];
  }
}

/** A JSON value as indented text, numbers as they were sent. */
export const jsonText = (value) => Array.from(pieces(value), ([, text]) => text).join("");

// So that an event of a megabyte does not stall the page; it can be copied whole.
const MOST_PIECES = 12_000;

/** A JSON value as coloured text nodes. */
export function Json({ value }) {
  const shown = [];
  for (const [kind, text] of pieces(value)) {
    if (shown.length === MOST_PIECES) {
      shown.push(
        html`<span class="json-more">${"\n… more than can be shown here: copy it to see the rest"}</span>`,
      );
      break;
    }
    shown.push(kind === "mark" ? text : html`<span class=${`json-${kind}`}>${text}</span>`);
  }
  return html`<pre class="json" tabindex="0"><code>${shown}</code></pre>`;
}

/** A JSON value in one line, numbers as they were sent. */
function lineOf(value) {
  if (value instanceof ExactNumber) return value.source;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "";
  if (Array.isArray(value)) return `[${value.map(lineOf).join(",")}]`;
  const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${lineOf(item)}`);
  return `{${entries.join(",")}}`;
}

/** A value of a property in one line, cut to `length` characters. */
export function inline(value, length = 200) {
  const text = typeof value === "string" ? value : lineOf(value);
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
