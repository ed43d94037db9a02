// One chart: what was used, the fan of what is forecast, the allotment and the limit. Drawn by uPlot.

import { h, replace } from './dom.js';
import { axisTimes, fullTime, setting as settingText, short } from './format.js';
import { t } from './i18n.js';

const { uPlot } = window;
/** A limit far above everything else would flatten the rest: it is named instead of drawn. */
const OFF_SCALE = 3;
const DOUBLINGS = Array.from({ length: 52 }, (_, power) => 2 ** power);
const USED = 8;
const MEDIAN = 5;

/** Columns for uPlot in the order of `seriesOptions`. */
function columns({ series, forecast, allotted, setting, changes, to_s }) {
  const times = [];
  const used = [];
  series?.values.forEach((value, index) => {
    times.push(series.start_s + index * series.step_s);
    used.push(value);
  });
  const begin = times.at(-1) ?? -Infinity;
  const fan = [[], [], [], [], []];
  for (const column of fan) column.length = times.length;
  fan.forEach((column) => column.fill(null));
  forecast?.quantiles.forEach((row, index) => {
    const time_s = forecast.start_s + index * forecast.step_s;
    if (time_s <= begin || time_s > to_s) return;
    times.push(time_s);
    used.push(null);
    [8, 7, 1, 0, 4].forEach((level, place) => fan[place].push(row[level]));
  });
  const limit = times.map((time_s) => limitAt(time_s, setting, changes));
  const ahead = times.map((time_s) => (time_s >= begin && Number.isFinite(allotted) ? allotted : null));
  return [times, ...fan, limit, ahead, used];
}

/** What the knob was set to at a time, from the changes that were recorded. */
function limitAt(time_s, now, changes) {
  const later = changes.find((change) => change.time_s > time_s);
  const value = later ? later.from : now;
  return Number.isFinite(value) ? value : null;
}

function top(data, whole) {
  let most = 0;
  for (const column of [data[1], data[7], data[8]]) for (const value of column) if (value > most) most = value;
  let limit = 0;
  for (const value of data[6]) if (value > limit) limit = value;
  return { most: (whole || limit <= most * OFF_SCALE ? Math.max(most, limit) : most) || limit || 1, limit };
}

function seriesOptions() {
  const color = window.theme.color;
  const hidden = { stroke: 'transparent', points: { show: false } };
  const line = (stroke, more) => ({ stroke, width: 1.5, points: { show: false }, ...more });
  return [
    {}, hidden, hidden, hidden, hidden,
    line(color('fan'), { dash: [4, 3] }),
    line(color('limit'), { width: 1, paths: uPlot.paths.stepped({ align: 1 }) }),
    line(color('allotted'), { width: 2 }),
    line(color('used'), { fill: color('used-area'), points: { size: 4, show: isLone } }),
  ];
}

/** One or two values make no line: they are drawn as points. */
const isLone = (chart, index) => chart.data[index].filter((value) => value !== null).length < 3;

function axes(unit) {
  const color = window.theme.color;
  const base = {
    font: '11px system-ui, sans-serif', stroke: color('faint'),
    grid: { stroke: color('grid'), width: 1 }, ticks: { show: false },
  };
  const doubling = unit === 'bytes' ? { incrs: DOUBLINGS } : {};
  return [
    { ...base, grid: { show: false }, size: 24, gap: 4, space: 64, values: (_, splits, axis, space, step) => axisTimes(splits, step) },
    { ...base, size: 66, gap: 6, space: 32, values: (_, splits) => splits.map((value) => short(value, unit)), ...doubling },
  ];
}

/** Line at the present, and a mark at each change. */
function drawMarks(chart, now_s, changes) {
  const { ctx, bbox } = chart;
  const ratio = window.devicePixelRatio || 1;
  const x = (time_s) => Math.round(chart.valToPos(time_s, 'x', true));
  ctx.save();
  ctx.fillStyle = window.theme.color('line-strong');
  if (x(now_s) < bbox.left + bbox.width) ctx.fillRect(x(now_s), bbox.top, ratio, bbox.height);
  for (const change of changes) {
    const at = x(change.time_s);
    if (at < bbox.left || at > bbox.left + bbox.width) continue;
    ctx.fillStyle = window.theme.color(change.cut ? 'allotted' : 'warn');
    const size = 4 * ratio;
    const [tip, base] = change.cut ? [bbox.top + size * 1.6, bbox.top] : [bbox.top, bbox.top + size * 1.6];
    ctx.beginPath();
    ctx.moveTo(at - size, base);
    ctx.lineTo(at + size, base);
    ctx.lineTo(at, tip);
    ctx.fill();
  }
  ctx.restore();
}

/** A chart with a head: its name, and the values now or under the pointer. */
export function fanChart({ name, unit, height, group }) {
  const readout = h('span', { class: 'chart-readout num' });
  const plot = h('div', { class: 'chart-plot' });
  const element = h('figure', { class: 'chart' }, h('figcaption', {}, h('span', { class: 'chart-name' }, name), readout), plot);
  let shown = null;
  let chart = null;

  const show = (index) => {
    const { data, input } = shown;
    const value = (column) => short(data[column][index], unit);
    if (index === null || index === undefined) {
      const off = shown.scale.limit > shown.scale.most ? t('chart.off', { value: settingText(shown.scale.limit, unit) }) : '';
      return replace(readout, h('span', { class: 'chart-off' }, off), h('b', {}, short(lastKnown(data[USED]), unit)));
    }
    const past = data[USED][index] !== null;
    const text = past ? value(USED) : `${value(MEDIAN)} (${value(4)}–${value(1)})`;
    return replace(readout, h('span', { class: 'faint' }, fullTime(data[0][index] ?? input.now_s)), h('b', {}, text));
  };

  const build = () => {
    chart = new uPlot({
      width: Math.max(200, plot.clientWidth), height,
      padding: [8, 14, 0, 0],
      cursor: { sync: { key: group }, drag: { x: false, y: false }, points: { size: 5 }, y: false },
      legend: { show: false },
      scales: { x: { time: true, range: () => [shown.input.from_s, shown.input.to_s] }, y: { range: () => [0, shown.scale.most * 1.08] } },
      series: seriesOptions(), axes: axes(unit),
      bands: [{ series: [1, 4], fill: window.theme.color('fan-outer') }, { series: [2, 3], fill: window.theme.color('fan-inner') }],
      hooks: {
        draw: [(self) => drawMarks(self, shown.input.now_s, shown.input.changes)],
        setCursor: [(self) => show(self.cursor.idx)],
      },
    }, shown.data, plot);
  };

  const resize = new ResizeObserver(() => chart?.setSize({ width: Math.max(200, plot.clientWidth), height }));
  resize.observe(plot);
  return {
    element,
    update(input) {
      const data = columns(input);
      shown = { data, input, scale: top(data, input.whole) };
      const nothing = !data[0].length || !data.slice(1).some((column) => column.some((value) => value !== null));
      element.classList.toggle('chart-empty', nothing);
      element.dataset.empty = nothing ? t('chart.none') : '';
      if (!nothing && chart) chart.setData(data);
      else if (!nothing) build();
      show(null);
      element.setAttribute('aria-label', `${name}: ${readout.textContent}`);
    },
    destroy() {
      resize.disconnect();
      chart?.destroy();
    },
  };
}

function lastKnown(values) {
  for (let index = values.length - 1; index >= 0; index -= 1) if (values[index] !== null) return values[index];
  return null;
}

/** What the lines mean. */
export function legend(names) {
  return h('ul', { class: 'legend' }, names.map((name) => h('li', {}, h('i', { class: `key key-${name}` }), t(`legend.${name}`))));
}
