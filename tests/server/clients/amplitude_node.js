// Plays a story, given as JSON on standard input, through @amplitude/node; prints what became of it.
"use strict";

const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");

const [packages, url, apiKey] = process.argv.slice(2);
const requireInstalled = createRequire(`${packages}/`);
const { init } = requireInstalled("@amplitude/node");
const { Identify } = requireInstalled("@amplitude/identify");

const client = init(apiKey, { serverUrl: url, logLevel: 0 });

function operations(list) {
  return list.reduce((identify, [name, ...values]) => identify[name](...values), new Identify());
}

function play(step) {
  const { user_id, device_id } = step.for ?? {};
  if (step.track) return client.logEvent(step.track);
  if (step.identify) return client.identify(user_id, device_id ?? null, operations(step.identify));
  if (step.set_group) return client.identify(user_id, device_id ?? null, new Identify().setGroup(...step.set_group));
  if (step.group_identify) return client.logEvent(operations(step.group_identify).identifyGroup(...step.group));
  // This SDK has no revenue call: the event's own keys carry it.
  return client.logEvent({ event_type: "revenue_amount", ...step.for, ...step.revenue });
}

async function main() {
  const codes = {};
  let waiting = [];
  for (const step of JSON.parse(readFileSync(0, "utf8"))) {
    if (!step.settle) {
      waiting.push(play(step));
      continue;
    }
    // The first answer settles the promise, even if a retry succeeds later: Node ends when the retries are over.
    for (const response of await Promise.all(waiting)) {
      codes[response.statusCode] = (codes[response.statusCode] ?? 0) + 1;
    }
    waiting = [];
  }
  process.stdout.write(JSON.stringify(codes));
}

main();
