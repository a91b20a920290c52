/** Live: events as they arrive, newest first, with filters. */

import * as api from "./api.js";
import { html, useEffect, useRef, useState } from "./dom.js";
import { EventFeed } from "./event-feed.js";
import { EventLines } from "./event-list.js";
import { compact, count, number } from "./format.js";
import { useLive } from "./live.js";
import { useLoaded } from "./loading.js";
import { Empty, Failure, LinkButton, Older, Options, Typed } from "./parts.js";
import { whenReleased } from "./press.js";
import { href, hrefWith, replace, useRoute } from "./router.js";
import { Snippets } from "./snippets.js";

const OUTCOMES = ["accepted", "duplicate", "rejected", "returned"];
const FIELDS = ["event_type", "user", "library", "outcome", "problem", "text"];

/** Filters that only links set, with what they are called. */
const LINKED = {
  upload_id: "upload",
  user_id: "user_id",
  device_id: "device_id",
  insert_id: "insert_id",
  group: "group",
  project_id: "project",
};

function filtersOf(query) {
  return Object.fromEntries(
    [...FIELDS, ...Object.keys(LINKED), "before"]
      .filter((name) => query[name])
      .map((name) => [name, query[name]]),
  );
}

const change = (changes) => replace(hrefWith({ before: null, ...changes }));

/** How often each kind of problem occurred; one is a filter when pressed. */
function ProblemCounts({ problems, chosen }) {
  if (!problems?.length) return null;
  // Errors first: a common warning must not push them out of sight.
  const isError = (each) => each.severity === "error";
  const ranked = [...problems].sort((a, b) => isError(b) - isError(a) || b.count - a.count);
  return html`<div
    class="problem-counts"
    role="group"
    aria-label="Problems by kind"
    data-testid="problem-counts"
  >
    ${ranked.slice(0, 12).map(
      (each) =>
        html`<button
            key=${each.code}
            type="button"
            class=${`chip tone-${each.severity}`}
            aria-pressed=${chosen === each.code}
            title=${each.message}
            data-testid="problem-count"
            data-code=${each.code}
            onClick=${() => change({ problem: chosen === each.code ? null : each.code })}
          >
            <span>${each.code}</span>${" "}<b>${compact(each.count)}</b>
          </button>`,
    )}
  </div>`;
}

function Filters({ query, stats }) {
  const [isOpen, setIsOpen] = useState(false);
  const set = FIELDS.filter((name) => name !== "text" && query[name]).length;
  const libraries = stats?.libraries.map((each) => each.name).filter(Boolean) ?? [];
  const families = [...new Set(libraries.map((name) => name.split("/")[0]))];
  const codes = new Set(stats?.problems.map((each) => each.code) ?? []);
  if (query.problem && query.problem !== "any") codes.add(query.problem);
  const typed = (name, label, testid, list) =>
    html`<label class=${query[name] ? "is-set" : ""}>
      <span class="unseen">${label}</span>
      <${Typed}
        type="search"
        placeholder=${label}
        list=${list}
        value=${query[name] ?? ""}
        data-testid=${testid}
        onValue=${(value) => change({ [name]: value })}
      />
    </label>`;
  const select = (name, label, testid, options) =>
    html`<label class=${query[name] ? "is-set" : ""}>
      <span class="unseen">${label}</span>
      <select
        data-testid=${testid}
        value=${query[name] ?? ""}
        onChange=${(event) => change({ [name]: event.target.value })}
      >
        <option value="">${label}</option>
        <${Options} options=${options} chosen=${query[name]} />
      </select>
    </label>`;
  return html`<div class=${`filters ${isOpen ? "is-open" : ""}`} role="search" aria-label="Events">
    <label class="search">
      <span class="unseen">Search the events' text</span>
      <${Typed}
        type="search"
        placeholder="Search text  /"
        data-search
        value=${query.text ?? ""}
        data-testid="filter-text"
        onValue=${(value) => change({ text: value })}
      />
    </label>
    <button
      type="button"
      class="filters-toggle"
      aria-expanded=${isOpen}
      data-testid="filters-toggle"
      onClick=${() => setIsOpen(!isOpen)}
    >
      Filters${set > 0 && ` (${set})`}
    </button>
    <div class="filter-fields">
      ${typed("event_type", "Event type", "filter-type", "known-types")}
      ${typed("user", "User or device", "filter-user")}
      ${typed("library", "Library", "filter-library", "known-libraries")}
      ${select(
        "outcome",
        "Outcome",
        "filter-outcome",
        OUTCOMES.map((each) => [each, each]),
      )}
      ${select("problem", "Problem", "filter-problem", [
        ["any", "with any problem"],
        ...[...codes].map((each) => [each, each]),
      ])}
    </div>
    <datalist id="known-types">
      ${stats?.event_types.map((each) => html`<option value=${each.name}></option>`)}
    </datalist>
    <datalist id="known-libraries">
      ${[...families, ...libraries].map((name) => html`<option value=${name}></option>`)}
    </datalist>
  </div>`;
}

/** Filters that have no field, each with a button to take it off, and one for all. */
function Tokens({ query }) {
  const linked = Object.keys(LINKED).filter((name) => query[name]);
  const isAny = linked.length > 0 || FIELDS.some((name) => query[name]);
  if (!isAny) return null;
  const none = Object.fromEntries([...FIELDS, ...Object.keys(LINKED), "before"].map((name) => [name, null]));
  return html`<div class="tokens">
    ${linked.map(
      (name) =>
        html`<button
          type="button"
          class="chip"
          data-testid="filter-token"
          aria-label=${`Remove the filter ${LINKED[name]} ${query[name]}`}
          onClick=${() => change({ [name]: null })}
        >
          ${LINKED[name]}${" "}<b>${query[name]}</b>${" "}<span aria-hidden="true">✕</span>
        </button>`,
    )}
    <button type="button" class="quiet" data-testid="filter-clear" onClick=${() => change(none)}>
      Clear filters
    </button>
  </div>`;
}

/** What part of the events is on show. */
function Extent({ feed }) {
  let text = count(feed.rows.length, "event");
  if (feed.isSearching) text = `Searching… ${text} so far`;
  else if (feed.isHistory) text = `${text} before number ${number(Number(feed.filters.before))}`;
  else if (feed.isFiltered)
    text = feed.hasGap
      ? `Showing ${text}; more came between them than can be shown`
      : `${text}${feed.nextBefore === null ? "" : ", the newest"}`;
  else if (feed.span > feed.rows.length)
    text = `Sampled: showing ${number(feed.rows.length)} of ${number(feed.span)}`;
  return html`<span class="extent" data-testid="extent">${text}</span>`;
}

/** With a way on for who searches for an event that never came. */
function NoMatches({ text }) {
  return html`<${Empty} title="No event matches these filters." testid="no-matches">
    <p>Types and ids have to be whole; a library may leave out its version.</p>
    ${
      text &&
      html`<p>
        Looking for one that is missing?${" "}
        <a href=${href(["event", text])} data-testid="look-up">Look it up by this insert_id</a>.
      </p>`
    }
  </${Empty}>`;
}

export function LiveView({ onFollow }) {
  const { query } = useRoute();
  const filters = filtersOf(query);
  const key = JSON.stringify(filters);
  const [, redraw] = useState(0);
  const feed = useRef(null);
  const list = useRef(null);
  const [isPaused, setIsPaused] = useState(false);
  // A reader who has scrolled down, or moves through the lines by key, must not lose the line from under them.
  const [isScrolled, setIsScrolled] = useState(false);
  const [isWalked, setIsWalked] = useState(false);
  const uploads = useLive(({ totals }) => totals?.uploads ?? 0);
  const { value: stats } = useLoaded((signal) => api.stats(60, signal), ["live"], 1000);

  useEffect(() => {
    const draw = () => redraw((times) => times + 1);
    const made = new EventFeed(filters, () => whenReleased(draw));
    feed.current = made;
    made.hold(isPaused);
    list.current?.scrollTo(0, 0);
    draw();
    return () => made.close();
  }, [key]);

  const isHeld = isPaused || isScrolled || isWalked;
  useEffect(() => feed.current?.hold(isHeld), [isHeld, key]);

  const onFocusIn = (event) => event.target.matches("[data-item]:focus-visible") && setIsWalked(true);
  const onScroll = (event) => setIsScrolled(event.currentTarget.scrollTop > 24);
  const pause = () => {
    setIsPaused(true);
    feed.current?.hold(true); // at once: the effect waits for a frame
  };
  const goOn = () => {
    setIsPaused(false);
    setIsWalked(false);
    list.current?.scrollTo(0, 0);
    document.activeElement?.closest?.("[data-item]") && list.current?.focus({ preventScroll: true });
  };

  const shown = feed.current;
  const rows = shown?.rows ?? [];
  const isSettled = shown && !shown.isLoading && !shown.isSearching;
  const isEmpty = isSettled && rows.length === 0;
  const waiting = shown?.waiting ?? 0;
  return html`<div class="view live" data-testid="view-live">
    <h1 class="unseen">Live</h1>
    <div class="toolbar">
      <${Filters} query=${query} stats=${stats} />
      <${ProblemCounts} problems=${stats?.problems} chosen=${query.problem} />
      <div class="toolbar-line">
        ${shown && html`<${Extent} feed=${shown} />`}
        <${Tokens} query=${query} />
        <span class="gap"></span>
        ${query.before && html`<${LinkButton} to=${hrefWith({ before: null })} testid="newest">Newest</${LinkButton}>`}
        ${
          !query.before &&
          html`<button
            type="button"
            class=${isHeld ? "is-held" : ""}
            aria-pressed=${isHeld}
            data-pause
            data-testid="pause"
            title="p"
            onClick=${isHeld ? goOn : pause}
          >
            ${isHeld ? "▶ Resume" : "❚❚ Pause"}${" "}
            ${waiting > 0 && html`<span class="waiting" data-testid="waiting">${`${number(waiting)} waiting`}</span>`}
          </button>`
        }
      </div>
    </div>
    ${shown?.error && html`<${Failure} error=${shown.error} onRetry=${() => shown.load()} />`}
    <div
      class="scroller"
      ref=${list}
      tabindex="0"
      data-list
      data-testid="event-list"
      aria-label="Events, newest first"
      role="region"
      onScroll=${onScroll}
      onfocusin=${onFocusIn}
      onfocusout=${() => setIsWalked(false)}
    >
      <${EventLines} events=${rows} open=${Number(query.event)} onFollow=${onFollow} />
      ${isEmpty && !shown.isFiltered && !shown.error && html`<${Snippets} uploads=${uploads} />`}
      ${isEmpty && shown.isFiltered && html`<${NoMatches} text=${query.text} />`}
      ${isSettled && shown.nextBefore !== null && html`<p class="older"><${Older} before=${shown.nextBefore} /></p>`}
    </div>
  </div>`;
}
