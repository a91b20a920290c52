/** The page as a whole: the bar on top, the view that the address names, and the open event beside it. */

import * as api from "./api.js";
import { html, render, useEffect, useRef, useState } from "./dom.js";
import { EventPanel, EventView } from "./event-detail.js";
import { FaultsView } from "./faults-view.js";
import { number, own } from "./format.js";
import { GroupsView } from "./groups-view.js";
import { Dialog, KeysDialog, useKeys, VIEWS } from "./keys.js";
import { LiveView } from "./live-view.js";
import { connect, useLive } from "./live.js";
import { Overview } from "./overview.js";
import { Failure } from "./parts.js";
import { useRoute } from "./router.js";
import { SchemaView } from "./schema-view.js";
import { nextTheme, onTheme, theme } from "./theme.js";
import { UploadsView } from "./uploads-view.js";
import { UsersView } from "./users-view.js";

const NAMED = {
  live: LiveView,
  users: UsersView,
  groups: GroupsView,
  uploads: UploadsView,
  schema: SchemaView,
  overview: Overview,
  faults: FaultsView,
};

/** Drawn in a box of 20 by 20. */
const ICONS = {
  live: "M2 10h3l2.5-6 4 12 2.5-6h4",
  users: "M10 10a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-6.5 7c.5-3.5 3-5 6.5-5s6 1.5 6.5 5",
  groups: "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z",
  uploads: "M10 13V3m-4 4 4-4 4 4M3 13v4h14v-4",
  schema: "M4 4h3v3H4zM4 13h3v3H4zM10 5.5h7M10 14.5h7M5.5 7v6",
  overview: "M3 17h14M5 14V9m5 5V4m5 10v-3",
  faults: "M11 2 4 11.5h5L8.5 18 16 8.5h-5.5Z",
};

function Navigation({ view }) {
  return html`<nav aria-label="Views">
    ${VIEWS.map(
      (name) =>
        html`<a
          href=${`#/${name}`}
          data-testid=${`nav-${name}`}
          aria-current=${name === view ? "page" : undefined}
        >
          <svg viewBox="0 0 20 20" aria-hidden="true"><path d=${ICONS[name]} /></svg>
          <span>${name[0].toUpperCase() + name.slice(1)}</span>
        </a>`,
    )}
  </nav>`;
}

function Connection() {
  const connection = useLive((live) => live.connection);
  const rate = useLive((live) => live.rate);
  const words = { connecting: "connecting…", open: "live", lost: "reconnecting…" }[connection];
  return html`<span class="connection" data-testid="connection" data-state=${connection}>
    ${
      connection === "open" &&
      html`<span class="rate" data-testid="rate" title="Events accepted in the last second">${number(rate)}/s</span>`
    }
    <span class="connection-dot" aria-hidden="true"></span>
    <span role="status">${words}</span>
  </span>`;
}

function Theme() {
  const [, redraw] = useState(0);
  useEffect(() => onTheme(() => redraw((times) => times + 1)), []);
  const sign = { system: "◐", light: "☀", dark: "☾" }[theme()];
  const label = `Theme: ${theme()}`;
  return html`<button
    type="button"
    class="icon-button"
    data-testid="theme"
    data-theme-choice=${theme()}
    aria-label=${label}
    title=${label}
    onClick=${nextTheme}
  >
    ${sign}
  </button>`;
}

function ResetDialog({ onClose }) {
  const [failure, setFailure] = useState(null);
  const onSubmit = async (event) => {
    event.preventDefault();
    const dialog = event.target.closest("dialog");
    const keep = [...new FormData(event.target).keys()];
    try {
      await api.reset(keep);
      dialog.close();
    } catch (error) {
      setFailure(error);
    }
  };
  const cancel = (event) => event.target.closest("dialog").close();
  const kept = [
    ["rules", "the rules"],
    ["faults", "the faults"],
    ["clock", "the clock"],
  ];
  return html`<${Dialog} title="Forget everything?" onClose=${onClose} testid="reset-dialog">
    <form onSubmit=${onSubmit}>
      <p>
        All events, uploads, users, groups and counts are removed, as if the server had just been started. This
        cannot be undone.
      </p>
      <fieldset>
        <legend>Keep</legend>
        ${kept.map(
          ([name, label]) =>
            html`<label>
              <input type="checkbox" name=${name} defaultChecked data-testid=${`reset-keep-${name}`} />${" "}${label}
            </label>`,
        )}
      </fieldset>
      ${failure && html`<${Failure} error=${failure} />`}
      <div class="actions">
        <button type="button" autofocus data-testid="reset-cancel" onClick=${cancel}>Cancel</button>
        <button class="danger" data-testid="reset-confirm">Forget everything</button>
      </div>
    </form>
  </${Dialog}>`;
}

function Page() {
  const { path, query } = useRoute();
  const [dialog, setDialog] = useState(null);
  const follow = useRef(false);
  useKeys(() => setDialog("keys"));
  const view = path[0] ?? "live";
  const close = () => setDialog(null);
  const onFollow = () => {
    follow.current = true;
  };
  useEffect(() => {
    document.title = `${view[0].toUpperCase()}${view.slice(1)} · antinode`;
  }, [view]);

  const seq = Number(query.event);
  const View = own(NAMED, view);
  let shown = html`<div class="view page">
    <h1>There is no view of this name.</h1>
    <p><a href="#/live">Go to Live</a></p>
  </div>`;
  if (view === "event" && path[1] !== undefined)
    shown = html`<${EventView} key=${path[1]} insertId=${path[1]} />`;
  else if (View) shown = html`<${View} onFollow=${onFollow} />`;
  return html`
    <header class="bar">
      <a class="brand" href="#/live" aria-label="antinode">
        <img src="/assets/icon.svg" alt="" width="22" height="22" />
        <span>antinode</span>
      </a>
      <${Navigation} view=${view} />
      <span class="gap"></span>
      <${Connection} />
      <button type="button" class="quiet" data-testid="reset" onClick=${() => setDialog("reset")}>
        Reset
      </button>
      <button
        type="button"
        class="icon-button keys-button"
        data-testid="keys"
        aria-label="Keys (?)"
        title="Keys (?)"
        onClick=${() => setDialog("keys")}
      >
        ?
      </button>
      <${Theme} />
    </header>
    <main class=${seq ? "has-panel" : ""}>
      ${shown} ${seq > 0 && html`<${EventPanel} seq=${seq} follow=${follow} />`}
    </main>
    ${dialog === "keys" && html`<${KeysDialog} onClose=${close} />`}
    ${dialog === "reset" && html`<${ResetDialog} onClose=${close} />`}
  `;
}

connect();
render(html`<${Page} />`, document.getElementById("app"));
