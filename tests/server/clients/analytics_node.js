// Plays a story, given as JSON on standard input, through @amplitude/analytics-node; prints what became of it.
"use strict";

const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");

const [packages, url, apiKey] = process.argv.slice(2);
const requireInstalled = createRequire(`${packages}/`);
const { createInstance, Identify, Revenue } = requireInstalled("@amplitude/analytics-node");

// The SDK waits 30 s for a throttled user; the story is the same when every wait is short.
const setTimeoutAsAsked = globalThis.setTimeout;
globalThis.setTimeout = (call, wait, ...values) => setTimeoutAsAsked(call, wait < 20_000 ? wait : wait / 100, ...values);

const client = createInstance();

function operations(list) {
  return list.reduce((identify, [name, ...values]) => identify[name](...values), new Identify());
}

function play(step) {
  if (step.track) return client.track(step.track);
  if (step.identify) return client.identify(operations(step.identify), step.for);
  if (step.set_group) return client.setGroup(...step.set_group, step.for);
  if (step.group_identify) return client.groupIdentify(...step.group, operations(step.group_identify));
  const revenue = new Revenue()
    .setProductId(step.revenue.productId)
    .setPrice(step.revenue.price)
    .setQuantity(step.revenue.quantity)
    .setRevenueType(step.revenue.revenueType);
  return client.revenue(revenue, step.for);
}

async function main() {
  await client.init(apiKey, { serverUrl: url, flushIntervalMillis: 20, logLevel: 0 }).promise;
  const codes = {};
  let waiting = [];
  for (const step of JSON.parse(readFileSync(0, "utf8"))) {
    if (!step.settle) {
      waiting.push(play(step).promise);
      continue;
    }
    // Not `flush()`, which would give up at the first failure: the SDK's timer sends, and tries again.
    for (const { code } of await Promise.all(waiting)) codes[code] = (codes[code] ?? 0) + 1;
    waiting = [];
  }
  process.stdout.write(JSON.stringify(codes));
}

main();
