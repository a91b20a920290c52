/** The events that match a choice of filters, kept up with the server. Knows nothing of how they are drawn. */

import * as api from "./api.js";
import { live, merged, MOST_ROWS, subscribe } from "./live.js";

const REFRESH_MS = 500;

// Events a second up to which what the server's sample left out is asked for. Above, nobody could read them.
const READABLE_RATE = 2000;

// A text search answers after a slice of time with what it has; so many slices are asked for by themselves.
const MOST_SLICES = 40;
const ENOUGH_ROWS = 50;

/**
 * Begins at once. `filters` are those of /api/events; with `before` among them it shows older events and
 * stands still. `onChange` is called whenever the fields here have changed.
 */
export class EventFeed {
  rows = [];
  /** Ask with this `before` for older ones; null at the end. */
  nextBefore = null;
  isLoading = true;
  isSearching = false;
  error = null;
  /** Newer matching events were left out, because they came too fast. */
  hasGap = false;

  constructor(filters, onChange) {
    this.filters = filters;
    this.onChange = onChange;
    this.isFiltered = Object.keys(filters).length > 0;
    this.isHistory = "before" in filters;
    this.generation = live.generation;
    this.version = 0;
    this.isHeld = false;
    this.heldAt = 0;
    // What came after it is not shown yet: whoever holds the feed now is told of it as waiting.
    this.followed = 0;
    this.lastStart = 0;
    this.timer = null;
    this.controller = null;
    this.stop = subscribe(() => this.follow());
    this.load();
  }

  close() {
    this.isClosed = true;
    this.stop();
    clearTimeout(this.timer);
    this.controller?.abort();
  }

  /** How many events came that are not shown because the feed is held. */
  get waiting() {
    return this.isHeld ? Math.max(0, live.arrived - this.heldAt) : 0;
  }

  /** How many events came between the first and the last that is shown, with them. */
  get span() {
    return this.rows.length ? this.rows[0].seq - this.rows.at(-1).seq + 1 : 0;
  }

  hold(isHeld) {
    if (isHeld === this.isHeld) return;
    this.isHeld = isHeld;
    this.heldAt = this.followed;
    if (!isHeld) this.load();
    this.onChange();
  }

  follow() {
    if (this.generation !== live.generation) {
      this.generation = live.generation;
      this.heldAt = 0;
      this.rows = [];
      this.load();
      return;
    }
    if (this.isHeld || this.isHistory) {
      this.onChange();
      return;
    }
    this.followed = live.arrived;
    if (this.isFiltered) this.schedule();
    else if (!document.hidden) {
      if (live.recent[0]?.seq > (this.rows[0]?.seq ?? 0)) this.show(live.recent, this.rows);
      if (live.omittedAt > this.version && live.rate <= READABLE_RATE) this.schedule();
    }
  }

  show(...lists) {
    const all = merged(...lists);
    if (all.length > MOST_ROWS) this.nextBefore = all[MOST_ROWS - 1].seq;
    this.rows = all.slice(0, MOST_ROWS);
    this.onChange();
  }

  schedule() {
    if (this.timer !== null || this.controller !== null || document.hidden || this.version === live.version)
      return;
    const wait = Math.max(0, this.lastStart + REFRESH_MS - performance.now());
    this.timer = setTimeout(() => {
      this.timer = null;
      if (this.isHeld) return;
      if (this.error || !this.isFiltered) this.load();
      else this.refresh();
    }, wait);
  }

  /** Only what is newer, so that a rare match in a long store is not looked for again and again. */
  async refresh() {
    await this.ask(async (signal) => {
      const after = Math.max(this.reached, this.rows[0]?.seq ?? 0);
      const reached = live.newest;
      const page = await api.events({ ...this.filters, after, limit: MOST_ROWS }, signal);
      this.reached = reached;
      if (page.next_before !== null) this.hasGap = true;
      if (page.events.length) this.show(page.events, this.rows);
    });
  }

  async load() {
    clearTimeout(this.timer);
    this.timer = null;
    this.isLoading = true;
    this.followed = live.arrived;
    this.reached = live.newest;
    await this.ask(async (signal) => {
      let page = await api.events({ ...this.filters, limit: MOST_ROWS }, signal);
      this.hasGap = false;
      let rows = page.events;
      for (let slice = 1; this.isWanting(rows, page) && slice < MOST_SLICES; slice += 1) {
        this.isSearching = true;
        this.rows = rows;
        this.onChange();
        page = await api.events({ ...this.filters, before: page.next_before, limit: MOST_ROWS }, signal);
        rows = merged(rows, page.events).slice(0, MOST_ROWS);
      }
      this.nextBefore = page.next_before;
      this.rows = this.isFiltered ? rows : merged(rows, live.recent).slice(0, MOST_ROWS);
      if (!this.isFiltered) live.newest = Math.max(live.newest, this.rows[0]?.seq ?? 0);
      this.reached = Math.max(this.reached, this.rows[0]?.seq ?? 0);
    });
  }

  isWanting(rows, page) {
    return page.next_before !== null && rows.length < ENOUGH_ROWS;
  }

  async ask(read) {
    this.controller?.abort();
    const controller = (this.controller = new AbortController());
    this.lastStart = performance.now();
    this.version = live.version;
    try {
      await read(controller.signal);
      this.error = null;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.error = error;
    } finally {
      if (this.controller === controller) {
        this.controller = null;
        this.isLoading = false;
        this.isSearching = false;
        if (!this.isClosed) {
          this.onChange();
          if (this.isFiltered && !this.isHeld && !this.isHistory) this.schedule();
        }
      }
    }
  }
}
