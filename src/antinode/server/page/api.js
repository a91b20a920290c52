/** The server's JSON API. Every call gives a promise, and takes an AbortSignal last where it reads. */

export class ApiError extends Error {
  /** `status` is 0 if there was no answer at all. */
  constructor(status, message) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

/** A number as it was sent, where JavaScript would write it differently: `1.0`, or one beyond 2^53. */
export class ExactNumber {
  constructor(source) {
    this.source = source;
  }
}

function keepNumbers(_key, value, context) {
  // Browsers without `context.source` show such a number as JavaScript reads it.
  const source = typeof value === "number" ? context?.source : undefined;
  return source === undefined || String(value) === source ? value : new ExactNumber(source);
}

function keepDigits(_key, value, context) {
  const isCut = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return isCut && context?.source !== undefined ? new ExactNumber(context.source) : value;
}

const LONG = /[0-9]{16}/;

/** `text` as JSON, with the digits of integers that JavaScript would round. Long texts seldom have any. */
export const parsed = (text) => JSON.parse(text, LONG.test(text) ? keepDigits : undefined);

async function call(method, path, { query = {}, body, signal, isExact = false } = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") parameters.set(name, value);
  }
  const search = parameters.toString();
  const options = { method, signal, headers: {} };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let response;
  let text;
  try {
    response = await fetch(`/api/${path}${search ? `?${search}` : ""}`, options);
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer. Is it still running?");
  }
  let value = null;
  try {
    value = text ? (isExact ? JSON.parse(text, keepNumbers) : parsed(text)) : null;
  } catch {
    throw new ApiError(
      response.status,
      `The server answered ${response.status} with something that is not JSON.`,
    );
  }
  if (!response.ok)
    throw new ApiError(response.status, value?.error ?? `The server answered ${response.status}.`);
  return value;
}

const part = encodeURIComponent;

export const events = (query, signal) => call("GET", "events", { query, signal });
export const event = (insertId, signal) => call("GET", `events/${part(insertId)}`, { signal, isExact: true });
export const uploads = (query, signal) => call("GET", "uploads", { query, signal });
export const upload = (id, signal) => call("GET", `uploads/${part(id)}`, { signal });
export const users = (search, signal) => call("GET", "users", { query: { search, limit: 100 }, signal });
export const user = (id, projectId, signal) =>
  call("GET", `users/${part(id)}`, { query: { project_id: projectId }, signal });
export const groups = (search, signal) => call("GET", "groups", { query: { search, limit: 100 }, signal });
export const group = (type, name, projectId, signal) =>
  call("GET", `groups/${part(type)}/${part(name)}`, { query: { project_id: projectId }, signal });
export const schema = (signal) => call("GET", "schema", { signal });
export const stats = (spanSeconds, signal) =>
  call("GET", "stats", { query: { span_s: spanSeconds }, signal });
export const faults = async (signal) => (await call("GET", "faults", { signal })).faults;
export const addFault = (fault) => call("POST", "faults", { body: fault });
export const removeFault = (id) => call("DELETE", `faults/${part(id)}`);
export const clearFaults = () => call("DELETE", "faults");
export const rules = (signal) => call("GET", "rules", { signal });
export const setRules = (changed) => call("PUT", "rules", { body: changed });
export const clock = (signal) => call("GET", "clock", { signal });
export const setClock = (changed) => call("PUT", "clock", { body: changed });
export const reset = (keep) => call("POST", "reset", { body: { keep } });

/** One arrival by its number, also one that came without an insert_id; null if it is forgotten. */
export async function arrival(seq, signal) {
  const page = await call("GET", "events", {
    query: { before: seq + 1, after: seq - 1, limit: 1 },
    signal,
    isExact: true,
  });
  return page.events[0] ?? null;
}
