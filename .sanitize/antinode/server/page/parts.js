/** Small pieces that several views are made of. */

import { html, useEffect, useRef, useState } from "./dom.js";
import { inline, number, own, Prose } from "./format.js";
import { hrefWith } from "./router.js";

const OUTCOMES = {
  accepted: ["✓", "stored"],
  duplicate: ["=", "not stored again: its insert_id was stored before"],
  rejected: ["✕", "refused: the answer named it"],
  returned: ["↩", "nothing wrong with it, but its request was refused as a whole"],
};

/** What became of an event, by sign, colour and word. */
export function Outcome({ outcome, isShort = false }) {
  const [sign, meaning] = own(OUTCOMES, outcome) ?? ["?", ""];
  return html`<span class=${`outcome outcome-${outcome}`} title=${`${outcome}: ${meaning}`}>
    <span class="outcome-sign" aria-hidden="true">${sign}</span>
    <span class=${isShort ? "unseen" : "outcome-word"}>${outcome}</span>
  </span>`;
}

/** An answer's status by colour; 0 is a connection that was closed instead. */
export function Status({ status }) {
  const kind = status === 200 ? "good" : status === 429 || status === 413 ? "warning" : "error";
  return html`<span class=${`status tone-${kind}`}>${status === 0 ? "closed" : status}</span>`;
}

export function EventType({ type }) {
  return type === null ? html`<i class="faint">no event_type</i>` : type;
}

/** A line of a `dl` of class `facts`. */
export function Fact({ label, children }) {
  return html`<div>
    <dt>${label}</dt>
    <dd>${children}</dd>
  </div>`;
}

/** A link that looks like a button. */
export function LinkButton({ to, testid, children }) {
  return html`<a class="button" href=${to} data-testid=${testid}>${children}</a>`;
}

/** Goes on to what is older than `before`. */
export function Older({ before, what = "events" }) {
  return html`<${LinkButton} to=${hrefWith({ before, upload: null })} testid="older">Older ${what}</${LinkButton}>`;
}

export function Failure({ error, onRetry }) {
  return html`<div class="failure" role="alert" data-testid="failure">
    <span><${Prose} text=${error.message} /></span>
    ${onRetry && html`<button type="button" class="quiet" onClick=${onRetry}>Try again</button>`}
  </div>`;
}

export function Empty({ title, children, testid }) {
  return html`<div class="empty" data-testid=${testid}>
    <p class="empty-title">${title}</p>
    ${children}
  </div>`;
}

/** The options of a `select`: pairs of value and words. */
export function Options({ options, chosen = "" }) {
  return options.map(
    ([value, words]) => html`<option value=${value} selected=${value === chosen}>${words}</option>`,
  );
}

/** Copies `text()`; says so on itself and to screen readers. */
export function Copy({ text, label = "Copy", testid = "copy" }) {
  const [said, setSaid] = useState(null);
  const timer = useRef(null);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setSaid("Copied");
    } catch {
      // Browsers give the clipboard to loopback and https pages only.
      setSaid("Not allowed here");
    }
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setSaid(null), 1500);
  };
  return html`<button type="button" class="quiet copy" data-testid=${testid} onClick=${copy}>
    <span aria-live="polite">${said ?? label}</span>
  </button>`;
}

/** A text input that tells of its value once the typing pauses, and at once on Enter. */
export function Typed({ value, onValue, ...attributes }) {
  const [text, setText] = useState(value);
  const timer = useRef(null);
  const told = useRef(value);
  useEffect(() => {
    // Changed from outside: by Back, or by a link.
    if (value !== told.current) {
      clearTimeout(timer.current);
      told.current = value;
      setText(value);
    }
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const tell = (now) => {
    clearTimeout(timer.current);
    if (now === told.current) return;
    told.current = now;
    onValue(now);
  };
  const onInput = (event) => {
    const now = event.target.value;
    setText(now);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => tell(now.trim()), 250);
  };
  const onKeyDown = (event) => {
    if (event.key === "Enter") tell(event.target.value.trim());
    if (event.key === "Escape") {
      event.stopPropagation();
      if (event.target.value) {
        setText("");
        tell("");
      } else event.target.blur();
    }
  };
  return html`<input
    ...${attributes}
    value=${text}
    onInput=${onInput}
    onKeyDown=${onKeyDown}
    autocomplete="off"
    autocapitalize="off"
    spellcheck=${false}
  />`;
}

/** Horizontal bars of counts, longest first; `link(name)` may make each a link. */
export function Bars({ counts, most = 10, link, label = (name) => name, tone = () => "accent", testid }) {
  const shown = counts.slice(0, most);
  const longest = Math.max(1, ...shown.map((each) => each.count));
  return html`<ol class="bars" data-testid=${testid}>
    ${shown.map((each) => {
      const text = inline(label(each.name), 120);
      const width = { width: `${(100 * each.count) / longest}%` };
      return html`<li key=${each.name}>
        <span class="bar-name" title=${text}
          >${link?.(each.name) ? html`<a href=${link(each.name)}>${text}</a>` : text}</span
        >
        <span class="bar-count">${number(each.count)}</span>
        <span class="bar-track" aria-hidden="true"
          ><span class=${`bar-fill bar-${tone(each.name)}`} style=${width}></span
        ></span>
      </li>`;
    })}
  </ol>`;
}
