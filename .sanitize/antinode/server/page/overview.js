/** Overview: how many events, of which types, from whom, and how many were refused. */

import * as api from "./api.js";
import { Chart } from "./chart.js";
import { html } from "./dom.js";
import { ago, compact, count, number, percent } from "./format.js";
import { useLive } from "./live.js";
import { useLoaded } from "./loading.js";
import { Bars, Failure } from "./parts.js";
import { href, hrefWith, replace, useRoute } from "./router.js";

const REFRESH_MS = 1000;
const SPANS = [
  ["300", "5 min"],
  ["3600", "1 hour"],
  ["86400", "24 hours"],
];

function Tile({ label, value, more, tone = "", testid }) {
  return html`<div class="tile card" data-testid=${testid}>
    <span class="tile-label">${label}</span>
    <span class=${`tile-value ${tone}`}>${value}</span>
    <span class="tile-more">${more}</span>
  </div>`;
}

function Tiles({ stats }) {
  const { totals } = stats;
  const refused = totals.rejected + totals.returned;
  const all = totals.events + totals.duplicates + refused;
  const rate = useLive((now) => now.rate);
  const kept =
    stats.max_events === null
      ? number(stats.stored_events)
      : `${compact(stats.stored_events)} of ${compact(stats.max_events)}`;
  return html`<div class="tiles">
    <${Tile}
      label="Events accepted"
      value=${number(totals.events)}
      more=${`${number(rate)} in the last second`}
      testid="tile-events"
    />
    <${Tile}
      label="Refused"
      value=${percent(all ? refused / all : 0)}
      more=${`${number(totals.rejected)} rejected, ${number(totals.returned)} returned`}
      tone=${refused ? "tone-error" : ""}
      testid="tile-rejected"
    />
    <${Tile}
      label="Duplicates"
      value=${number(totals.duplicates)}
      more="not stored again"
      testid="tile-duplicates"
    />
    <${Tile}
      label="Users seen"
      value=${number(stats.users)}
      more=${count(stats.groups, "group")}
      testid="tile-users"
    />
    <${Tile}
      label="Uploads"
      value=${number(totals.uploads)}
      more=${`since ${ago(stats.started_at, stats.now)}`.replace("since just now", "just begun")}
      testid="tile-uploads"
    />
    <${Tile} label="Kept" value=${kept} more="entries of every outcome" testid="tile-kept" />
  </div>`;
}

function Card({ title, counts, children }) {
  return html`<section class="card">
    <h2>${title}</h2>
    ${counts.length === 0 ? html`<p class="faint">None yet.</p>` : children}
  </section>`;
}

const statusTone = (name) =>
  name === "200" ? "good" : name === "429" || name === "413" ? "warning" : "error";

function Cards({ stats }) {
  const types = stats.event_types;
  const problems = stats.problems.map((each) => ({ name: each.code, count: each.count }));
  const severity = new Map(stats.problems.map((each) => [each.code, each.severity]));
  return html`<div class="cards">
    <${Card} title="Top event types" counts=${types}>
      <${Bars}
        counts=${types}
        most=${12}
        link=${(name) => href(["live"], { event_type: name })}
        testid="chart-types"
      />
    </${Card}>
    <${Card} title="Problems" counts=${problems}>
      <${Bars}
        counts=${problems}
        link=${(name) => href(["live"], { problem: name })}
        tone=${(name) => severity.get(name)}
        testid="chart-problems"
      />
    </${Card}>
    <${Card} title="Answers by status" counts=${stats.statuses}>
      <${Bars}
        counts=${stats.statuses}
        label=${(name) => (name === "0" ? "connection closed" : name)}
        tone=${statusTone}
        link=${(name) => href(["uploads"], { failed: name === "200" ? "false" : "true" })}
        testid="chart-statuses"
      />
    </${Card}>
    <${Card} title="Libraries" counts=${stats.libraries}>
      <${Bars}
        counts=${stats.libraries}
        label=${(name) => name || "none named"}
        link=${(name) => name && href(["live"], { library: name })}
        testid="chart-libraries"
      />
    </${Card}>
  </div>`;
}

export function Overview() {
  const { query } = useRoute();
  const span = SPANS.some(([seconds]) => seconds === query.span) ? query.span : SPANS[0][0];
  const generation = useLive((now) => now.generation);
  const { value, error, reload } = useLoaded(
    (signal) => api.stats(span, signal),
    [span, generation],
    REFRESH_MS,
  );
  const series = value?.series;
  const times = series && { start: series.start / 1000, step: series.step_s };
  const per = series?.step_s === 1 ? "second" : series?.step_s === 60 ? "minute" : `${series?.step_s} s`;
  return html`<div class="view page" data-testid="view-overview">
    <div class="page-head">
      <h1>Overview</h1>
      <div class="segments" role="group" aria-label="Time on show">
        ${SPANS.map(
          ([seconds, label]) =>
            html`<button
              type="button"
              aria-pressed=${seconds === span}
              data-testid=${`span-${seconds}`}
              onClick=${() => replace(hrefWith({ span: seconds }))}
            >
              ${label}
            </button>`,
        )}
      </div>
    </div>
    ${error && html`<${Failure} error=${error} onRetry=${reload} />`}
    ${
      value &&
      html`
        <${Tiles} stats=${value} />
        <div class="charts">
          <${Chart}
            key=${`events-${span}`}
            title=${`Events per ${per}`}
            ...${times}
            testid="chart-events"
            series=${[
              { label: "accepted", tone: "good", values: series.accepted },
              { label: "duplicates", tone: "quiet", values: series.duplicates },
              { label: "refused", tone: "error", values: series.rejected },
            ]}
          />
          <${Chart}
            key=${`uploads-${span}`}
            title=${`Uploads per ${per}`}
            ...${times}
            testid="chart-uploads"
            series=${[
              {
                label: "answered 200",
                tone: "accent",
                values: series.uploads.map((all, index) => all - series.failed_uploads[index]),
              },
              { label: "failed", tone: "error", values: series.failed_uploads },
            ]}
          />
        </div>
        <${Cards} stats=${value} />
      `
    }
  </div>`;
}
