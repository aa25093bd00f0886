// Draw what stands in the page. The table beside the charts has the same numbers.
"use strict";

const COLOURS = ["--line-1", "--line-2"];
const HEIGHT = 180;
const WHOLE = [...Array(13).keys()].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power)); // steps of counts
const SMALL = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
let drawn = [];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function short(unit, value) {
  if (value === null || value === undefined) return "";
  if (unit === "$" && value < 10000) return `$${value >= 0.1 || value === 0 ? value.toFixed(value < 10 ? 2 : 0) : SMALL.format(value)}`;
  if (unit === "s") return value < 1 ? `${Number((value * 1000).toPrecision(3))} ms` : `${Number(value.toPrecision(3))} s`;
  return unit + new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

// as the table has it: an axis is short
function exact(unit, value) {
  if (unit === "s" || value === null || value === undefined || (unit && value < 1)) return short(unit, value);
  const decimals = unit ? 2 : 0;
  return unit + value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

function moment(at, step) {
  const text = new Date(at * 1000).toISOString();
  return step >= 86400 ? text.slice(0, 10) : `${text.slice(0, 10)} ${text.slice(11, 16)}`;
}

function tick(at, place) {
  const text = new Date(at * 1000).toISOString();
  const [day, time] = [text.slice(5, 10), text.slice(11, 16)];
  return time === "00:00" ? day : place ? time : `${time}\n${day}`;
}

const wide = (_, labels) => Math.max(64, 16 + 8 * Math.max(0, ...(labels ?? []).map((label) => label.length)));

function options(figure, columns, width) {
  const { unit } = figure.dataset;
  const names = figure.dataset.names.split(" ");
  const labels = figure.dataset.labels.split("|");
  const line = unit === "s";
  const end = columns.at.at(-1) + columns.step_s;
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const bars = uPlot.paths.bars({ size: [0.7, 40], align: 1 });
  return {
    width,
    height: HEIGHT,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    cursor: { drag: { x: false, y: false } },
    scales: { x: { range: [columns.at[0], end] }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, values: (_, ticks) => ticks.map(tick) },
      { ...axis, size: wide, incrs: unit ? undefined : WHOLE, values: (_, ticks) => ticks.map((value) => short(unit, value)) },
    ],
    series: [
      { label: figure.closest(".charts").dataset.every, value: (_, at) => (at === null ? "" : moment(at, columns.step_s)) },
      ...labels.map((label, place) => ({
        label,
        stroke: colour(COLOURS[place]),
        fill: line ? undefined : colour(`${COLOURS[place]}-fill`),
        width: line ? 2 : 0,
        paths: line ? undefined : bars,
        points: { show: line, size: 6 },
        value: (_, _drawn, _place, at) => exact(unit, at === null ? null : columns[names[place]][at]),
      })),
    ],
  };
}

function draw(charts, columns) {
  for (const figure of charts.querySelectorAll("figure")) {
    const place = figure.querySelector(".drawing");
    place.replaceChildren();
    const data = [columns.at, ...figure.dataset.names.split(" ").map((name) => columns[name])];
    if ("stacked" in figure.dataset) data[1] = data[1].map((value, at) => value + data[2][at]); // behind the other
    const plot = new uPlot(options(figure, columns, place.clientWidth), data, place);
    drawn.push({ plot, place });
  }
}

function begin() {
  drawn.forEach(({ plot }) => plot.destroy());
  drawn = [];
  for (const charts of document.querySelectorAll(".charts")) draw(charts, JSON.parse(charts.dataset.columns));
}

let waiting = 0;
addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    for (const { plot, place } of drawn) plot.setSize({ width: place.clientWidth, height: HEIGHT });
  }, 100);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", begin);
document.addEventListener("htmx:afterSettle", begin);
begin();
