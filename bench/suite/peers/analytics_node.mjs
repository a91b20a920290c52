// @amplitude/analytics-node: `track`.
const KEY = '0123456789abcdef0123456789abcdef';

export async function openSession(url, settings, load) {
  const options = { serverUrl: `${url}/2/httpapi` };
  if (settings.batch) options.flushQueueSize = settings.batch;
  const client = load('@amplitude/analytics-node').createInstance();
  await client.init(KEY, options).promise;
  let last = { promise: Promise.resolve() };
  return {
    log(event) {
      last = client.track(event);
    },
    async finish() {
      let isOver = false;
      last.promise.then(() => { isOver = true; });
      // A flush during another does nothing, so one is not always enough.
      while (!isOver) {
        await client.flush().promise;
        await new Promise((resolve) => { setImmediate(resolve); });
      }
    },
  };
}
