/** Uploads: each request, and what was answered. */

import * as api from "./api.js";
import { html } from "./dom.js";
import { count, duration, Json, number, size, Time } from "./format.js";
import { useLive } from "./live.js";
import { useLoaded } from "./loading.js";
import { Empty, Fact, Failure, LinkButton, Older, Options, Outcome, Status } from "./parts.js";
import { href, hrefWith, replace, useRoute } from "./router.js";

const REFRESH_MS = 600;
const PATHS = ["/2/httpapi", "/batch", "/identify", "/groupidentify", "/"];

/** A page of uploads; the one that is open stays in it when newer ones push it out. */
async function readPage({ failed, endpoint, before, upload }, signal) {
  const page = await api.uploads({ failed, path: endpoint, before, limit: 100 }, signal);
  const id = Number(upload);
  if (!id || page.uploads.some((each) => each.id === id)) return { ...page, isForgotten: false };
  try {
    const { upload: open } = await api.upload(id, signal);
    return { ...page, uploads: [...page.uploads, open].sort((a, b) => b.id - a.id), isForgotten: false };
  } catch (error) {
    if (error.status !== 404) throw error;
    return { ...page, isForgotten: true };
  }
}

/** JSON indented, anything else as it is. */
function Answer({ text }) {
  try {
    return html`<${Json} value=${api.parsed(text)} />`;
  } catch {
    return html`<pre class="answer" tabindex="0">${text}</pre>`;
  }
}

function UploadDetail({ upload }) {
  const outcomes = [
    ["accepted", upload.accepted],
    ["duplicate", upload.duplicates],
    ["rejected", upload.rejected],
    ["returned", upload.returned],
  ].filter(([, times]) => times > 0);
  return html`<div class="upload-detail" data-testid="upload-detail">
    <dl class="facts">
      ${upload.error && html`<${Fact} label="Error">${upload.error}</${Fact}>`}
      ${
        upload.fault &&
        html`<${Fact} label="Fault">
          <code>${upload.fault}</code>${" "}
          <span class="faint">on purpose: see${" "}<a href="#/faults">Faults</a></span>
        </${Fact}>`
      }
      <${Fact} label="Events">
        <span class="ids">
          ${outcomes.map(
            ([outcome, times]) => html`<span><${Outcome} outcome=${outcome} />${" "}${number(times)}</span>`,
          )}
          ${
            upload.events === 0
              ? html`<span class="faint">none that could be read</span>`
              : html`<a href=${href(["live"], { upload_id: upload.id })} data-testid="upload-events">Show in Live</a>`
          }
        </span>
      </${Fact}>
      <${Fact} label="Body">
        ${size(upload.wire_size)}${upload.encoding && ` ${upload.encoding}, ${size(upload.body_size)} inflated`}
      </${Fact}>
      ${upload.user_agent && html`<${Fact} label="User-Agent">${upload.user_agent}</${Fact}>`}
      ${upload.project_id !== null && html`<${Fact} label="Project">${upload.project_id}</${Fact}>`}
    </dl>
    ${
      upload.answer &&
      html`<section data-testid="upload-answer">
        <h2>Answered</h2>
        <${Answer} text=${upload.answer} />
      </section>`
    }
    ${
      upload.body_start &&
      html`<section>
        <h2>The body began</h2>
        <pre class="answer" tabindex="0" data-testid="upload-body">${upload.body_start}</pre>
      </section>`
    }
  </div>`;
}

function UploadRow({ upload, isOpen }) {
  const toggle = hrefWith({ upload: isOpen ? null : upload.id });
  const failed = upload.status !== 200;
  const dup = ` ${number(upload.duplicates)} dup`;
  const onClick = (event) => {
    if (!event.target.closest("a")) replace(toggle);
  };
  return html`
    <tr
      class=${`upload-row ${failed ? "is-failed" : ""} ${isOpen ? "is-open" : ""}`}
      data-testid="upload-row"
      data-status=${upload.status}
      onClick=${onClick}
    >
      <td class="up-time">
        <a data-item href=${toggle} aria-expanded=${isOpen}>
          <span class="unseen">${`Upload ${upload.id} at `}</span>
          <${Time} at=${upload.received_at} />
        </a>
      </td>
      <td class="up-status"><${Status} status=${upload.status} /></td>
      <td class="up-path"><code>${upload.path}</code></td>
      <td class="up-events number">
        ${number(upload.events)}<span class="unit">${upload.events === 1 ? " event" : " events"}</span>
        ${upload.duplicates > 0 && html`<span class="faint" title="duplicates, not stored again">${dup}</span>`}
      </td>
      <td class="up-wire number">${size(upload.wire_size)}</td>
      <td class="up-body number">
        ${upload.encoding ? size(upload.body_size) : html`<span class="faint">same</span>`}
      </td>
      <td class="up-duration number">${duration(upload.duration_us)}</td>
      <td class="up-library">${upload.library ?? html`<span class="faint">none</span>`}</td>
      <td class="up-error">
        ${upload.fault && html`<span class="tag tone-warning" title="a fault, on purpose">${upload.fault}</span>`}
        ${" "}${upload.error}
      </td>
    </tr>
    ${
      isOpen &&
      html`<tr class="upload-more">
        <td colspan="9"><${UploadDetail} upload=${upload} /></td>
      </tr>`
    }
  `;
}

export function UploadsView() {
  const { query } = useRoute();
  const { failed, endpoint, before, upload } = query;
  const generation = useLive((now) => now.generation);
  const { value, error, reload } = useLoaded(
    (signal) => readPage(query, signal),
    [failed, endpoint, before, upload, generation],
    before ? 0 : REFRESH_MS,
  );
  const uploads = value?.uploads ?? [];
  const none = failed || endpoint || before ? "No upload matches." : "No uploads yet.";
  const choose = (changes) => replace(hrefWith({ before: null, upload: null, ...changes }));
  const kinds = [
    ["", "All"],
    ["true", "Failed"],
    ["false", "Answered 200"],
  ];
  return html`<div class="view uploads" data-testid="view-uploads">
    <h1 class="unseen">Uploads</h1>
    <div class="toolbar toolbar-line">
      <div class="segments" role="group" aria-label="Which uploads">
        ${kinds.map(
          ([value, label]) =>
            html`<button
              type="button"
              aria-pressed=${(failed ?? "") === value}
              data-testid=${`uploads-${value === "" ? "all" : value === "true" ? "failed" : "good"}`}
              onClick=${() => choose({ failed: value })}
            >
              ${label}
            </button>`,
        )}
      </div>
      <label>
        <span class="unseen">Endpoint</span>
        <select
          data-testid="upload-path"
          data-search
          value=${endpoint ?? ""}
          onChange=${(event) => choose({ endpoint: event.target.value })}
        >
          <option value="">Any endpoint</option>
          <${Options} options=${PATHS.map((path) => [path, path])} chosen=${endpoint} />
        </select>
      </label>
      <span class="gap"></span>
      <span class="extent" data-testid="extent">
        ${value && count(uploads.length, "upload")}${value?.next_before && !before ? ", the newest" : ""}
      </span>
      ${before && html`<${LinkButton} to=${hrefWith({ before: null })} testid="newest">Newest</${LinkButton}>`}
    </div>
    ${error && html`<${Failure} error=${error} onRetry=${reload} />`}
    ${value?.isForgotten && html`<p class="failure">Upload ${upload} is not kept any more.</p>`}
    <div class="scroller" tabindex="0" data-list role="region" aria-label="Uploads, newest first">
      <table class="upload-table">
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Status</th>
            <th scope="col">Endpoint</th>
            <th scope="col" class="number">Events</th>
            <th scope="col" class="number">Wire</th>
            <th scope="col" class="number">Inflated</th>
            <th scope="col" class="number">Took</th>
            <th scope="col">Library</th>
            <th scope="col">Fault and error</th>
          </tr>
        </thead>
        <tbody>
          ${uploads.map(
            (each) =>
              html`<${UploadRow} key=${each.id} upload=${each} isOpen=${String(each.id) === upload} />`,
          )}
        </tbody>
      </table>
      ${value && uploads.length === 0 && html`<${Empty} title=${none} testid="no-uploads" />`}
      ${value?.next_before && html`<p class="older"><${Older} before=${value.next_before} what="uploads" /></p>`}
    </div>
  </div>`;
}
