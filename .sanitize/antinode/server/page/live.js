/** What is happening right now: the server's ticks, the newest events, and whether the server is there. */

import { parsed } from "./api.js";
import { useEffect, useRef, useState } from "./dom.js";
import { whenReleased } from "./press.js";

/** How many of the newest events are kept, and so the most rows of a list. */
export const MOST_ROWS = 200;

// Often enough to look alive, seldom enough to leave the browser time.
const NOTIFY_MS = 150;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 5_000;

export const live = {
  /** `connecting`, `open`, or `lost` while it is tried again. */
  connection: "connecting",
  /** Grows whenever what was shown may be stale as a whole: after a reset, and when a lost server is back. */
  generation: 0,
  /** Grows with every tick. */
  version: 0,
  /** The server's clock at the last tick, in milliseconds since 1970. */
  now: Date.now(),
  /** When that tick came, by the browser's clock. */
  heardAt: Date.now(),
  rate: 0,
  totals: null,
  /** How many events came since the server's count began, of every outcome. */
  arrived: 0,
  /** The newest events as far as they were sent here, newest first. */
  recent: [],
  /** The `seq` of the newest of them; newer ones may have been left out. */
  newest: 0,
  /** The `version` at which events were last left out. */
  omittedAt: 0,
};

const listeners = new Set();
let notifying = null;

function tell() {
  for (const listener of [...listeners]) listener(live);
}

function notify() {
  notifying ??= setTimeout(() => {
    notifying = null;
    whenReleased(tell);
  }, NOTIFY_MS);
}

export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** A value made from `live`, drawn anew when it changes. */
export function useLive(select) {
  const [, redraw] = useState(0);
  const chosen = useRef(select);
  const value = select(live);
  const shown = useRef(value);
  chosen.current = select;
  shown.current = value;
  useEffect(
    () =>
      subscribe(() => {
        if (!Object.is(chosen.current(live), shown.current)) redraw((times) => times + 1);
      }),
    [],
  );
  return value;
}

/** Lists of events, newest first, as one without repetitions. */
export function merged(...lists) {
  const bySeq = new Map(lists.flat().map((event) => [event.seq, event]));
  return [...bySeq.values()].sort((a, b) => b.seq - a.seq);
}

function startOver() {
  live.generation += 1;
  live.newest = 0;
  live.recent = [];
  live.arrived = 0;
}

function onTick(message) {
  const tick = parsed(message.data);
  live.version += 1;
  live.now = tick.now;
  live.heardAt = Date.now();
  live.rate = tick.rate;
  live.totals = tick.totals;
  live.arrived = tick.totals.events + tick.totals.duplicates + tick.totals.rejected + tick.totals.returned;
  if (tick.omitted_events > 0) live.omittedAt = live.version;
  if (tick.events.length) {
    live.recent = merged(tick.events, live.recent).slice(0, MOST_ROWS);
    live.newest = Math.max(live.newest, tick.events[0].seq);
  }
  notify();
}

function onReset() {
  startOver();
  live.totals = null;
  live.rate = 0;
  notify();
}

let retry = FIRST_RETRY_MS;

/** Follow the server for as long as the page is there. */
export function connect() {
  const source = new EventSource("/api/live");
  source.addEventListener("tick", onTick);
  source.addEventListener("reset", onReset);
  source.addEventListener("open", () => {
    retry = FIRST_RETRY_MS;
    // A server that was away may have begun its count of events anew.
    if (live.connection === "lost") startOver();
    live.connection = "open";
    notify();
  });
  source.addEventListener("error", () => {
    // Browsers give up after some answers, and try others again only after seconds.
    source.close();
    live.connection = "lost";
    live.rate = 0;
    notify();
    setTimeout(connect, retry);
    retry = Math.min(retry * 2, LAST_RETRY_MS);
  });
}
