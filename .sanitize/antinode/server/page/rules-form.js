/** The rules that the server goes by, and its clock, as forms. */

import * as api from "./api.js";
import { html, useEffect, useState } from "./dom.js";
import { dateTime, span } from "./format.js";
import { useLoaded } from "./loading.js";
import { Failure, Options } from "./parts.js";

const HOUR_MS = 3_600_000;

/** One value a line. */
const lines = (text) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

/** `id = number` a line; the id may hold an equals sign itself. Throws for a line that is not so. */
function readRates(text) {
  return Object.fromEntries(
    lines(text).map((line) => {
      const at = line.lastIndexOf("=");
      const value = Number(line.slice(at + 1));
      if (at < 1 || line.slice(at + 1).trim() === "" || Number.isNaN(value))
        throw new Error(`“${line.slice(0, 60)}” is not “id = number”.`);
      return [line.slice(0, at).trim(), value];
    }),
  );
}

const writeRates = (rates) =>
  Object.entries(rates)
    .map(([id, value]) => `${id} = ${value}`)
    .join("\n");

/** A key that was configured with more than itself is kept as it is while its line stands. */
function readKeys(text, before) {
  const known = new Map(before.filter((each) => typeof each !== "string").map((each) => [each.key, each]));
  return lines(text).map((key) => known.get(key) ?? key);
}

const writeKeys = (keys) => keys.map((each) => (typeof each === "string" ? each : each.key)).join("\n");

function read(form, before) {
  const numeric = (name) => (form.get(name).trim() === "" ? null : Number(form.get(name)));
  return {
    ...before,
    api_keys: readKeys(form.get("api_keys"), before.api_keys),
    rates: form.get("rates"),
    eps_threshold: numeric("eps_threshold"),
    rate_window_s: numeric("rate_window_s") ?? 30,
    daily_quota: numeric("daily_quota"),
    project_eps: numeric("project_eps"),
    silenced_devices: lines(form.get("silenced_devices")),
    known_rates: readRates(form.get("known_rates")),
    daily_counts: readRates(form.get("daily_counts")),
    short_id_policy: form.get("short_id_policy"),
    error_indices: form.get("error_indices") || null,
  };
}

function Amount({ name, label, hint, value, min = 0, step = "any", required = false }) {
  return html`<label class="field">
    <span>${label}</span>
    <input
      type="number"
      name=${name}
      min=${min}
      step=${step}
      required=${required}
      defaultValue=${value ?? ""}
      placeholder="no limit of its own"
      data-testid=${`rule-${name}`}
    />
    <small class="faint">${hint}</small>
  </label>`;
}

function Choice({ name, label, hint, value, options }) {
  return html`<label class="field">
    <span>${label}</span>
    <select name=${name} data-testid=${`rule-${name}`}>
      <${Options} options=${options} chosen=${value ?? ""} />
    </select>
    <small class="faint">${hint}</small>
  </label>`;
}

function Lines({ name, label, hint, value, placeholder = "" }) {
  return html`<label class="field is-wide">
    <span>${label}</span>
    <textarea
      name=${name}
      rows="3"
      defaultValue=${value}
      placeholder=${placeholder}
      spellcheck=${false}
      data-testid=${`rule-${name}`}
    ></textarea>
    <small class="faint">${hint}</small>
  </label>`;
}

export function RulesForm() {
  const { value: rules, error, reload } = useLoaded((signal) => api.rules(signal), ["rules"]);
  const [said, setSaid] = useState(null);
  const [failure, setFailure] = useState(null);
  if (error) return html`<${Failure} error=${error} onRetry=${reload} />`;
  if (!rules) return null;

  const onSubmit = async (event) => {
    event.preventDefault();
    try {
      await api.setRules(read(new FormData(event.target), rules));
      setFailure(null);
      setSaid("The rules are in force.");
    } catch (problem) {
      setSaid(null);
      setFailure(problem);
    }
  };
  return html`<form
    class="card rules-form"
    data-testid="rules-form"
    aria-label="Rules"
    onSubmit=${onSubmit}
    onInput=${() => setSaid(null)}
  >
    <div class="fields">
      <${Choice}
        name="rates"
        label="Rates"
        value=${rules.rates}
        hint="What users and devices may send."
        options=${[
          ["unlimited", "unlimited"],
          ["documented", "as documented: 30 a second, Batch 1,000 and 500,000 a day"],
        ]}
      />
      <${Amount}
        name="eps_threshold"
        label="Events a second of a user or device"
        value=${rules.eps_threshold}
        hint="Above it: 429, on every endpoint."
      />
      <${Amount}
        name="rate_window_s"
        label="Averaged over seconds"
        value=${rules.rate_window_s}
        hint="The window of every rate."
        min=${0.001}
        required
      />
      <${Amount}
        name="daily_quota"
        label="Events a day of a user or device"
        value=${rules.daily_quota}
        hint="Above it, Batch answers 429."
        step="1"
      />
      <${Amount}
        name="project_eps"
        label="Events a second of a project"
        value=${rules.project_eps}
        hint="Above it: 429 for all of it."
      />
      <${Choice}
        name="short_id_policy"
        label="Too short ids"
        value=${rules.short_id_policy}
        hint="Shorter than min_id_length, 5 by default."
        options=${[
          ["reject", "refuse the request (observed)"],
          ["strip", "take the id off the event (documented)"],
        ]}
      />
      <${Choice}
        name="error_indices"
        label="A 400 names"
        value=${rules.error_indices}
        hint="Which of the bad events the answer tells."
        options=${[
          ["", "as each endpoint does"],
          ["first_per_field", "the first for each field"],
          ["first_event_only", "the first event only"],
          ["all", "all"],
        ]}
      />
    </div>
    <div class="fields">
      <${Lines}
        name="api_keys"
        label="API keys, one a line"
        value=${writeKeys(rules.api_keys)}
        hint="With none given, any key is accepted."
        placeholder="any key"
      />
      <${Lines}
        name="silenced_devices"
        label="Silenced devices, one a line"
        value=${rules.silenced_devices.join("\n")}
        hint="Their events are answered 400."
        placeholder="none"
      />
      <${Lines}
        name="known_rates"
        label="Rates already reached, id = events a second"
        value=${writeRates(rules.known_rates)}
        hint="Taken for true, whatever was counted."
        placeholder="user-20391 = 31"
      />
      <${Lines}
        name="daily_counts"
        label="Sent today already, id = events"
        value=${writeRates(rules.daily_counts)}
        hint="Taken for true, whatever was counted."
        placeholder="user-20391 = 500001"
      />
    </div>
    <div class="actions">
      <button class="primary" data-testid="rules-save">Set rules</button>
      <span role="status" data-testid="rules-said">${said}</span>
    </div>
    ${failure && html`<${Failure} error=${failure} />`}
  </form>`;
}

export function ClockForm() {
  const { value, error, reload } = useLoaded((signal) => api.clock(signal), ["clock"]);
  const [failure, setFailure] = useState(null);
  const [, redraw] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => redraw((times) => times + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  if (error) return html`<${Failure} error=${error} onRetry=${reload} />`;
  if (!value) return null;

  const set = (change) => () =>
    api.setClock(change).then(() => {
      setFailure(null);
      reload();
    }, setFailure);
  const at = value.is_fixed ? value.now_ms : Date.now() + value.ahead_ms;
  const state = value.is_fixed
    ? "stands still"
    : value.ahead_ms
      ? `runs ${span(value.ahead_ms)} ${value.ahead_ms > 0 ? "ahead" : "behind"}`
      : "is the real time";
  return html`<div class="card clock-form" data-testid="clock-form">
    <p>
      <span class="clock" data-testid="clock-now">${dateTime(at).slice(0, 19)}</span>${" "}<span
        class="faint"
        data-testid="clock-state"
        >${state}</span
      >
    </p>
    <p class="faint">Moving it forward lets windows, quotas and the 7 days of deduplication pass.</p>
    <div class="actions">
      <button type="button" data-testid="clock-hour" onClick=${set({ advance_ms: HOUR_MS })}>+1 hour</button>
      <button type="button" data-testid="clock-day" onClick=${set({ advance_ms: 24 * HOUR_MS })}>
        +1 day
      </button>
      <button type="button" data-testid="clock-stop" disabled=${value.is_fixed} onClick=${set({ at_ms: at })}>
        Stop
      </button>
      <button
        type="button"
        data-testid="clock-run"
        disabled=${!value.is_fixed && !value.ahead_ms}
        onClick=${set({ at_ms: null })}
      >
        Real time
      </button>
    </div>
    ${failure && html`<${Failure} error=${failure} />`}
  </div>`;
}
