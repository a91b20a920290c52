/** Counts over time as stacked bars, drawn by uPlot in the page's colours. */

import { html, useEffect, useRef } from "./dom.js";
import { compact, number, timeOfDay } from "./format.js";
import { onTheme } from "./theme.js";
import uPlot from "./vendor/uplot.js";

const HEIGHT = 190;

/** A colour of the style sheet, as the canvas wants it: resolved for the present theme. */
function colour(host, name) {
  host.style.color = `var(--${name})`;
  const resolved = getComputedStyle(host).color;
  host.style.color = "";
  return resolved;
}

/** Each list on top of those before it, as uPlot draws them: the tallest first. */
function stacked(lists) {
  const heights = new Array(lists[0]?.length ?? 0).fill(0);
  return lists.map((list) => list.map((value, index) => (heights[index] += value))).reverse();
}

function build(host, series, latest) {
  const reversed = [...series].reverse();
  const text = colour(host, "faint");
  const grid = { stroke: colour(host, "line"), width: 1 };
  const axis = {
    stroke: text,
    grid,
    ticks: { ...grid, size: 4 },
    font: `11px ${getComputedStyle(host).fontFamily}`,
  };
  const bars = uPlot.paths.bars({ size: [0.8, 40], align: 1 });
  const options = {
    width: Math.max(200, host.clientWidth),
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    legend: { show: false },
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(4, high * 1.08)] } },
    axes: [
      {
        ...axis,
        size: 28,
        space: 70,
        values: (_plot, ticks) =>
          ticks.map((at) =>
            timeOfDay(at * 1000)
              .slice(0, 8)
              .replace(/:00$/, ""),
          ),
      },
      {
        ...axis,
        size: 46,
        space: 36,
        incrs: [
          1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 1e7, 1e8,
        ],
        values: (_plot, ticks) => ticks.map((value) => compact(value)),
      },
    ],
    series: [
      {},
      ...reversed.map((each) => ({
        label: each.label,
        fill: colour(host, `bar-${each.tone}`),
        stroke: "transparent",
        width: 0,
        paths: bars,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [(plot) => latest.current.onPoint(plot.cursor.idx)] },
  };
  return new uPlot(options, latest.current.data, host);
}

/**
 * `series` is a list of {label, tone, values}, the lowest first; `start` and `step` are in seconds.
 * Under the pointer, the legend tells one step's counts, otherwise the sums.
 */
export function Chart({ title, series, start, step, testid }) {
  const host = useRef(null);
  const legend = useRef(null);
  const latest = useRef({});
  const times = (series[0]?.values ?? []).map((_, index) => start + index * step);
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const describe = (index) => {
    const isPoint = index !== null && index !== undefined && index < times.length;
    const counts = series.map((each) => (isPoint ? each.values[index] : sum(each.values)));
    // Written past Preact: the pointer moves more often than the data does.
    legend.current.querySelector("time").textContent = isPoint
      ? timeOfDay(times[index] * 1000).slice(0, 8)
      : "";
    legend.current.querySelectorAll("b").forEach((element, at) => (element.textContent = number(counts[at])));
  };
  const plot = useRef(null);
  latest.current = { data: [times, ...stacked(series.map((each) => each.values))], onPoint: describe };

  useEffect(() => {
    const renew = () => {
      plot.current?.destroy();
      plot.current = build(host.current, series, latest);
    };
    renew();
    const resized = new ResizeObserver(() =>
      plot.current.setSize({ width: Math.max(200, host.current.clientWidth), height: HEIGHT }),
    );
    resized.observe(host.current);
    const stop = onTheme(renew);
    return () => {
      stop();
      resized.disconnect();
      plot.current.destroy();
    };
  }, []);
  useEffect(() => {
    plot.current.setData(latest.current.data);
    describe(plot.current.cursor.idx);
  });

  const words = series.map((each) => `${each.label} ${number(sum(each.values))}`).join(", ");
  return html`<figure class="chart card" data-testid=${testid}>
    <figcaption>
      <h2>${title}</h2>
      <span class="legend" ref=${legend} aria-hidden="true">
        <time></time>
        ${series.map(
          (each) =>
            html`<span key=${each.label}>
              <span class=${`swatch bar-${each.tone}`}></span>${each.label}${" "}<b></b>
            </span>`,
        )}
      </span>
    </figcaption>
    <div class="plot" ref=${host} role="img" aria-label=${`${title}: ${words}`}></div>
  </figure>`;
}
