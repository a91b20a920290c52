/** Values that are read from the server, kept fresh while events come. */

import { useEffect, useRef, useState } from "./dom.js";
import { live, subscribe } from "./live.js";
import { released } from "./press.js";

/**
 * Read with `load(signal)`, again when one of `inputs` changes, and at most every `everyMs` while the server
 * reports something new (0: only once). What was read stays until the next is there.
 * Gives `{ value, error, isLoading, reload }`; `value` is null at first and after `inputs` changed.
 */
export function useLoaded(load, inputs, everyMs = 0) {
  const [state, setState] = useState({ key: null, value: null, error: null });
  const key = JSON.stringify(inputs);
  const latest = useRef(load);
  const again = useRef(() => {});
  latest.current = load;

  useEffect(() => {
    let isOver = false;
    let controller = null;
    let timer = null;
    let seen = null;
    let lastStart = 0;

    const run = async () => {
      controller?.abort();
      const mine = (controller = new AbortController());
      seen = `${live.generation}/${live.version}/${live.connection}`;
      lastStart = performance.now();
      try {
        const value = await latest.current(mine.signal);
        await released();
        if (controller === mine && !isOver) setState({ key, value, error: null });
      } catch (error) {
        if (controller === mine && !isOver && error.name !== "AbortError") {
          setState((before) => ({ key, value: before.key === key ? before.value : null, error }));
        }
      }
      if (controller === mine) controller = null;
      schedule();
    };
    const schedule = () => {
      if (isOver || !everyMs || timer !== null || controller !== null || document.hidden) return;
      if (seen === `${live.generation}/${live.version}/${live.connection}`) return;
      timer = setTimeout(
        () => {
          timer = null;
          run();
        },
        Math.max(0, lastStart + everyMs - performance.now()),
      );
    };

    again.current = run;
    run();
    const stop = subscribe(schedule);
    document.addEventListener("visibilitychange", schedule);
    return () => {
      isOver = true;
      stop();
      document.removeEventListener("visibilitychange", schedule);
      clearTimeout(timer);
      controller?.abort();
    };
  }, [key, everyMs]);

  const isCurrent = state.key === key;
  return {
    value: isCurrent ? state.value : null,
    error: isCurrent ? state.error : null,
    isLoading: !isCurrent,
    reload: () => again.current(),
  };
}
