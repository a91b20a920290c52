/** Faults: make the server misbehave on purpose, and take it back. */

import * as api from "./api.js";
import { html, useEffect, useState } from "./dom.js";
import { count, Prose, span } from "./format.js";
import { live, useLive } from "./live.js";
import { useLoaded } from "./loading.js";
import { Failure, Options } from "./parts.js";
import { ClockForm, RulesForm } from "./rules-form.js";

const STATUSES = [
  [429, "429 Too many requests"],
  [500, "500 Internal error"],
  [413, "413 Payload too large"],
  [400, "400 Bad request"],
  [403, "403 Forbidden"],
  [408, "408 Timeout"],
  [502, "502 Bad gateway"],
  [503, "503 Unavailable"],
  [504, "504 Gateway timeout"],
];
const PATHS = ["/2/httpapi", "/batch", "/identify", "/groupidentify"];

const SPELLINGS =
  "As after `--faults`: `500@10%`, `429:user=user-20391@next=3`, `delay:2s@20%`, `drop-after@5%`.";

const text = (form, name) => form.get(name)?.trim() || undefined;
const numeric = (form, name) => (text(form, name) === undefined ? undefined : Number(form.get(name)));

/** What several kinds share: how many requests, and which. */
function scope(form) {
  const amount = numeric(form, "amount");
  return {
    next: form.get("unit") === "next" ? amount : undefined,
    percent: form.get("unit") === "percent" ? amount : undefined,
    user_id: text(form, "user_id"),
    device_id: text(form, "device_id"),
    path: text(form, "path"),
    events: numeric(form, "events"),
  };
}

/** A form that adds one kind of fault; `read(form)` makes the fault of what was filled in. */
function FaultForm({ kind, title, explanation, read, onAdded, submit = "Add", children }) {
  const [error, setError] = useState(null);
  const [isBusy, setIsBusy] = useState(false);
  const onSubmit = async (event) => {
    event.preventDefault();
    setIsBusy(true);
    try {
      await api.addFault(read(new FormData(event.target)));
      setError(null);
      onAdded();
    } catch (failure) {
      setError(failure);
    }
    setIsBusy(false);
  };
  return html`<form
    class="card fault-form"
    data-testid="fault-form"
    data-kind=${kind}
    aria-label=${title}
    onSubmit=${onSubmit}
  >
    <h3>${title}</h3>
    <p class="faint"><${Prose} text=${explanation} /></p>
    <div class="fields">${children}</div>
    <button class="primary" disabled=${isBusy} data-testid=${`fault-add-${kind}`}>${submit}</button>
    ${error && html`<${Failure} error=${error} />`}
  </form>`;
}

function Field({ label, children, isWide = false }) {
  return html`<label class=${`field ${isWide ? "is-wide" : ""}`}><span>${label}</span>${children}</label>`;
}

function Amount() {
  const [unit, setUnit] = useState("next");
  return html`<div class="field amount" role="group" aria-label="How many requests">
    <span>For</span>
    <span class="joined">
      <select name="unit" aria-label="Count or share" onChange=${(event) => setUnit(event.target.value)}>
        <option value="next">the next</option>
        <option value="percent">a share of</option>
      </select>
      <input
        name="amount"
        type="number"
        required
        aria-label="Amount"
        min=${unit === "next" ? 1 : 0}
        max=${unit === "next" ? 1e9 : 100}
        step=${unit === "next" ? 1 : "any"}
        defaultValue="1"
        data-testid="fault-amount"
      />
      <span class="suffix">${unit === "next" ? "requests" : "%"}</span>
    </span>
  </div>`;
}

function Where() {
  return html`
    <${Field} label="Only with user">
      <input name="user_id" placeholder="any" autocomplete="off" spellcheck=${false} data-testid="fault-user" />
    </${Field}>
    <${Field} label="Only with device">
      <input name="device_id" placeholder="any" autocomplete="off" spellcheck=${false} data-testid="fault-device" />
    </${Field}>
    <${Field} label="Only to">
      <select name="path" data-testid="fault-path">
        <option value="">any endpoint</option>
        <${Options} options=${PATHS.map((path) => [path, path])} />
      </select>
    </${Field}>
    <${Field} label="Only with at least … events">
      <input name="events" type="number" min="1" max="2000" placeholder="any" data-testid="fault-events" />
    </${Field}>
  `;
}

function Seconds({ value }) {
  return html`<${Field} label="Seconds">
    <input
      name="seconds"
      type="number"
      required
      min="0.001"
      max="86400"
      step="any"
      defaultValue=${value}
      data-testid="fault-seconds"
    />
  </${Field}>`;
}

function Stored({ question }) {
  return html`<${Field} label="The events are">
    <select name="stored" aria-label=${question} data-testid="fault-stored">
      <option value="">not stored</option>
      <option value="yes">stored all the same</option>
    </select>
  </${Field}>`;
}

function Forms({ onAdded }) {
  return html`<div class="forms">
    <${FaultForm}
      kind="answer"
      title="Answer with an error"
      explanation="A 429 for a user or device throttles that one alone; its events are named in the answer."
      onAdded=${onAdded}
      read=${(form) => ({
        action: "answer",
        status: Number(form.get("status")),
        stored: Boolean(form.get("stored")),
        ...scope(form),
      })}
    >
      <${Field} label="Status">
        <select name="status" data-testid="fault-status"><${Options} options=${STATUSES} chosen=${429} /></select>
      </${Field}>
      <${Amount} /><${Stored} question="Before it answers, the events are" /><${Where} />
    </${FaultForm}>
    <${FaultForm}
      kind="drop"
      title="Drop the connection"
      explanation="Closed without an answer. Stored first, only an insert_id keeps a retry from counting twice."
      onAdded=${onAdded}
      read=${(form) => ({ action: "drop", stored: Boolean(form.get("stored")), ...scope(form) })}
    >
      <${Amount} /><${Stored} question="Before it closes, the events are" /><${Where} />
    </${FaultForm}>
    <${FaultForm}
      kind="delay"
      title="Delay the answer"
      explanation="The events are stored at once; the answer waits."
      onAdded=${onAdded}
      read=${(form) => ({ action: "delay", seconds: numeric(form, "seconds"), ...scope(form) })}
    >
      <${Seconds} value="2" />
      <${Amount} /><${Where} />
    </${FaultForm}>
    <${FaultForm}
      kind="down"
      title="Go down"
      explanation="Every connection to an ingestion path is closed and nothing stored; this page stays."
      submit="Go down"
      onAdded=${onAdded}
      read=${(form) => ({ action: "down", seconds: numeric(form, "seconds") })}
    >
      <${Seconds} value="30" />
    </${FaultForm}>
    <${FaultForm}
      kind="spelled"
      title="As on the command line"
      explanation=${SPELLINGS}
      onAdded=${onAdded}
      read=${(form) => ({ spelling: text(form, "spelling") })}
    >
      <${Field} label="Fault" isWide>
        <input
          name="spelling"
          required
          placeholder="500@10%"
          autocomplete="off"
          spellcheck=${false}
          data-testid="fault-spelling"
        />
      </${Field}>
    </${FaultForm}>
  </div>`;
}

/** Seconds until `until` by the server's clock, counting down. */
function Countdown({ until }) {
  const [, redraw] = useState(0);
  const ahead = live.now - live.heardAt;
  useEffect(() => {
    const timer = setInterval(() => redraw((times) => times + 1), 250);
    return () => clearInterval(timer);
  }, []);
  const left = Math.max(0, until - (Date.now() + ahead));
  const words = left ? `up again in ${Math.ceil(left / 1000)} s` : "up again";
  return html`<span class="countdown" data-testid="fault-countdown" role="timer">${words}</span>`;
}

function Remaining({ fault }) {
  if (fault.is_over) return html`<span class="faint">over</span>`;
  if (fault.until !== null) return html`<${Countdown} until=${fault.until} />`;
  return fault.remaining === null ? "until taken back" : `${count(fault.remaining, "request")} to go`;
}

/** In words, what the spelling says in short. */
function describe({ action, status, stored, seconds }) {
  const first = stored ? "store, then " : "";
  if (action === "answer") return `${first}answer ${status}`;
  if (action === "drop") return `${first}drop the connection`;
  return action === "delay" ? `delay by ${span(seconds * 1000)}` : `down for ${span(seconds * 1000)}`;
}

function Active({ faults, onChanged, onFailed }) {
  const act = (change) => () => change().then(onChanged, onFailed);
  return html`<section class="card" aria-label="Faults in force">
    <div class="section-head">
      <h2>In force</h2>
      <button
        type="button"
        class="quiet"
        data-testid="fault-clear"
        disabled=${faults.length === 0}
        onClick=${act(() => api.clearFaults())}
      >
        Clear all
      </button>
    </div>
    ${
      faults.length === 0
        ? html`<p class="faint" data-testid="no-faults">None: every request is answered as it should be.</p>`
        : html`<ul class="active-faults">
            ${faults.map(
              (each) =>
                html`<li key=${each.id} class=${each.is_over ? "is-over" : ""} data-testid=${each.is_over ? "fault-over" : "fault-active"}>
                  <code class="spelling">${each.spelling}</code>
                  <span class="fault-words">${describe(each.fault)}</span>
                  <span data-testid="fault-hits">${count(each.hits, "hit")}</span>
                  <span data-testid="fault-remaining"><${Remaining} fault=${each} /></span>
                  <button
                    type="button"
                    class="quiet"
                    data-testid="fault-remove"
                    aria-label=${`Remove ${each.spelling}`}
                    onClick=${act(() => api.removeFault(each.id))}
                  >
                    Remove
                  </button>
                </li>`,
            )}
          </ul>`
    }
  </section>`;
}

export function FaultsView() {
  const generation = useLive((now) => now.generation);
  const [failure, setFailure] = useState(null);
  const { value, error, reload } = useLoaded((signal) => api.faults(signal), ["faults", generation], 500);
  const onChanged = () => {
    setFailure(null);
    reload();
  };
  const shown = failure ?? error;
  return html`<div class="view page" data-testid="view-faults">
    <h1>Faults</h1>
    ${shown && html`<${Failure} error=${shown} onRetry=${onChanged} />`}
    ${value && html`<${Active} faults=${value} onChanged=${onChanged} onFailed=${setFailure} />`}
    <h2>Add a fault</h2>
    <${Forms} onAdded=${onChanged} />
    <h2>Rules</h2>
    <${RulesForm} key=${`rules-${generation}`} />
    <h2>Clock</h2>
    <${ClockForm} key=${`clock-${generation}`} />
  </div>`;
}
