// One run of one peer in Node, in a process of its own: worker.py for Node.
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { maker } from './workloads.mjs';

const spec = JSON.parse(process.argv[2]);
const load = createRequire(`${process.env.BENCH_NODE}/`);
const say = (figures) => console.log(JSON.stringify(figures));
const nextTurn = () => new Promise((resolve) => { setImmediate(resolve); });
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const QUANTILES = { p50: 0.5, p99: 0.99, p999: 0.999 };

function summary(times) {
  times.sort();
  const figures = { max: times[times.length - 1] };
  for (const [name, share] of Object.entries(QUANTILES)) {
    figures[name] = times[Math.max(Math.ceil(times.length * share - 1e-6), 1) - 1];
  }
  return figures;
}

async function open() {
  const { openSession } = await import(`./peers/${spec.module}`);
  return openSession(spec.url, spec.settings, load);
}

// A turn of the event loop between batches lets uploads run, as they do between a server's requests.
async function saturate(session, make, times) {
  const turn = spec.settings.batch ?? 100;
  for (let i = 0; i < spec.events; i += 1) {
    const event = make(i);
    if (times) {
      const before = performance.now();
      session.log(event);
      times[i] = (performance.now() - before) * 1000;
    } else {
      session.log(event);
    }
    if ((i + 1) % turn === 0) await nextTurn();
  }
}

// Timers here tick once a millisecond, so that what is due by then is logged together.
async function pace(session, make, times) {
  const begun = performance.now();
  for (let i = 0; i < spec.events;) {
    for (; i < spec.events && performance.now() - begun >= (i / spec.rate) * 1000; i += 1) {
      const event = make(i);
      const before = performance.now();
      session.log(event);
      times[i] = (performance.now() - before) * 1000;
    }
    await sleep(1);
  }
}

const tasks = {
  async stream(make) {
    const session = await open();
    const times = spec.timed || spec.rate ? new Float64Array(spec.events) : null;
    const [cpu, begun] = [process.cpuUsage(), performance.now()];
    if (spec.rate) await pace(session, make, times);
    else await saturate(session, make, times);
    await session.finish();
    const elapsed = (performance.now() - begun) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const figures = { cpu: (user + system) / spec.events, elapsed, rate: spec.events / elapsed };
    say(times ? { ...figures, ...summary(times) } : figures);
    process.exit(0);
  },

  async backlog(make) {
    const session = await open();
    for (let i = 0; i < 100; i += 1) make(i);
    global.gc?.();
    const before = process.memoryUsage().rss;
    let most = before;
    for (let i = 0; i < spec.events; i += 1) {
      session.log(make(i));
      if (i % 2000 === 0) {
        await nextTurn();
        most = Math.max(most, process.memoryUsage().rss);
      }
    }
    most = Math.max(most, process.memoryUsage().rss);
    say({ grown: (most - before) / spec.events });
    process.exit(0);
  },

  async first(make) {
    const session = await open();
    session.log(make(0));
    await session.finish();
    process.exit(0);
  },

  async leave(make) {
    const session = await open();
    for (let i = 0; i < spec.events; i += 1) session.log(make(i));
    say({ ended: Number(process.hrtime.bigint()) });
  },

  async trickle(make) {
    const session = await open();
    const logged = [];
    for (let i = 0; i < spec.events; i += 1) {
      logged.push(Number(process.hrtime.bigint()));
      session.log(make(i));
      await sleep(1000 / spec.rate);
    }
    say({ logged });
    process.stdin.on('end', () => process.exit(0)).resume();
  },

  async import() {
    const before = performance.now();
    load(spec.imported);
    say({ time: performance.now() - before, modules: Object.keys(load.cache).length });
  },
};

await tasks[spec.task](spec.workload ? maker(spec.workload) : undefined);
