// @amplitude/node: `logEvent`.
const KEY = '0123456789abcdef0123456789abcdef';

export function openSession(url, settings, load) {
  const options = { serverUrl: `${url}/2/httpapi` };
  if (settings.batch) options.maxCachedEvents = settings.batch;
  const client = load('@amplitude/node').init(KEY, options);
  let last = Promise.resolve();
  return {
    log(event) {
      last = client.logEvent(event);
    },
    async finish() {
      await client.flush();
      await last; // uploads go out one after another, so the last event's is the last
    },
  };
}
