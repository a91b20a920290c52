/** The keyboard: moving in lists, going between views, and the dialog that lists the keys. */

import { html, useEffect, useRef } from "./dom.js";
import { go, hrefWith, replace, route } from "./router.js";

export const VIEWS = ["live", "users", "groups", "uploads", "schema", "overview", "faults"];

const KEYS = [
  ["j or ↓, k or ↑", "next, previous in the list"],
  ["Enter", "open"],
  ["Escape", "close, or leave a field"],
  ["/", "search"],
  ["p", "pause, resume"],
  [`1 to ${VIEWS.length}`, "go to a view"],
  ["?", "this list"],
];

const isTyping = (element) => element.matches?.("input, select, textarea, [contenteditable]");

function items() {
  return [...document.querySelectorAll("[data-item]")].filter((each) => each.offsetParent !== null);
}

/** Go by `step` from the focused or the open item; an open event makes way for the next. */
function move(step) {
  const all = items();
  if (!all.length) return false;
  const from = all.findIndex((each) => each === document.activeElement);
  const start = from >= 0 ? from : all.findIndex((each) => each.getAttribute("aria-current") === "true");
  const next = all[start < 0 ? 0 : Math.min(all.length - 1, Math.max(0, start + step))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  if (route().query.event && next.dataset.seq) replace(hrefWith({ event: next.dataset.seq }));
  return true;
}

/** Close the open event and go back to its line, or to the list if the line is gone. */
export function closeEvent() {
  const { event } = route().query;
  if (!event) return;
  go(hrefWith({ event: null }));
  const line = document.querySelector(`[data-item][data-seq="${CSS.escape(event)}"]`);
  (line ?? document.querySelector("[data-list]"))?.focus();
}

function onKey(event, showKeys) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  // A region that scrolls by itself keeps its arrow keys.
  const mayMove = !event.target.closest("pre, [data-scrolls]");
  const view = VIEWS[Number(event.key) - 1];
  let isUsed = true;
  if (event.key === "j" || (event.key === "ArrowDown" && mayMove)) isUsed = move(1);
  else if (event.key === "k" || (event.key === "ArrowUp" && mayMove)) isUsed = move(-1);
  else if (event.key === "/") document.querySelector("[data-search]")?.focus();
  else if (event.key === "p") document.querySelector("[data-pause]")?.click();
  else if (event.key === "?") showKeys();
  else if (event.key === "Escape") closeEvent();
  else if (view) go(`#/${view}`);
  else isUsed = false;
  if (isUsed) event.preventDefault();
}

export function useKeys(showKeys) {
  useEffect(() => {
    const listener = (event) => onKey(event, showKeys);
    document.addEventListener("keydown", listener);
    return () => document.removeEventListener("keydown", listener);
  }, []);
}

/** A modal dialog that is there while it is drawn. */
export function Dialog({ title, onClose, testid, children }) {
  const element = useRef(null);
  useEffect(() => element.current.showModal(), []);
  const onClick = (event) => event.target === element.current && element.current.close();
  return html`<dialog
    ref=${element}
    aria-label=${title}
    data-testid=${testid}
    onClose=${onClose}
    onClick=${onClick}
  >
    <div class="dialog-body">
      <h2>${title}</h2>
      ${children}
    </div>
  </dialog>`;
}

export function KeysDialog({ onClose }) {
  return html`<${Dialog} title="Keys" onClose=${onClose} testid="keys-dialog">
    <dl class="keys">
      ${KEYS.map(
        ([key, meaning]) =>
          html`<div>
            <dt><kbd>${key}</kbd></dt>
            <dd>${meaning}</dd>
          </div>`,
      )}
    </dl>
    <form method="dialog" class="actions"><button autofocus>Close</button></form>
  </${Dialog}>`;
}
