/** How to point an SDK at this server: what Live shows before the first event. */

import { html, useState } from "./dom.js";
import { count } from "./format.js";
import { Copy } from "./parts.js";

const quoted = JSON.stringify;

const SNIPPETS = [
  [
    "Python",
    "pip install antinode",
    (url) => `import antinode

client = antinode.init("API_KEY", server_url=${quoted(url)})
client.log_event({"event_type": "Song Played", "user_id": "datamonster@gmail.com"})
client.flush()`,
  ],
  [
    "Node",
    "npm install @amplitude/analytics-node",
    (url) => `import { init, track } from "@amplitude/analytics-node";

init("API_KEY", { serverUrl: ${quoted(url)} });
track("Song Played", undefined, { user_id: "datamonster@gmail.com" });`,
  ],
  [
    "Browser",
    "npm install @amplitude/analytics-browser",
    (url) => `import * as amplitude from "@amplitude/analytics-browser";

amplitude.init("API_KEY", "datamonster@gmail.com", { serverUrl: ${quoted(url)} });
amplitude.track("Song Played");`,
  ],
];

/** `uploads` is how many requests came all the same. */
export function Snippets({ uploads }) {
  const [chosen, setChosen] = useState(0);
  const [, install, write] = SNIPPETS[chosen];
  const code = write(`${location.origin}/2/httpapi`);
  const onKeyDown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = (chosen + step + SNIPPETS.length) % SNIPPETS.length;
    setChosen(next);
    event.currentTarget.children[next].focus();
  };
  return html`<div class="snippets" data-testid="snippets">
    <h2>No events yet</h2>
    <p>
      Point an SDK at this server; any API key will do, unless the rules name some. Events appear here as they
      arrive.
    </p>
    ${
      uploads > 0 &&
      html`<p>
        <b>${count(uploads, "request")}${" "}came without an event that could be read</b>: see${" "}
        <a href="#/uploads">Uploads</a>.
      </p>`
    }
    <div class="tabs" role="tablist" aria-label="SDK" onKeyDown=${onKeyDown}>
      ${SNIPPETS.map(
        ([name], index) =>
          html`<button
            type="button"
            role="tab"
            id=${`snippet-tab-${index}`}
            aria-controls="snippet"
            aria-selected=${index === chosen}
            tabindex=${index === chosen ? 0 : -1}
            data-testid=${`snippet-${name.toLowerCase()}`}
            onClick=${() => setChosen(index)}
          >
            ${name}
          </button>`,
      )}
    </div>
    <div id="snippet" role="tabpanel" aria-labelledby=${`snippet-tab-${chosen}`}>
      <div class="section-head">
        <code class="faint">${install}</code><${Copy} text=${() => code} testid="copy-snippet" />
      </div>
      <pre class="json" tabindex="0" data-testid="snippet-code"><code>${code}</code></pre>
    </div>
    <p class="faint">
      Any other Amplitude SDK works too: set its server URL to${" "}<code>${location.origin}/2/httpapi</code>,
      or${" "}<code>${location.origin}/batch</code>${" "}for batches.
    </p>
  </div>`;
}
