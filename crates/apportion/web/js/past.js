// The past of a metric for a chart: which range, on which grid, from where.

import { api, orNothing } from './api.js';
import { h } from './dom.js';
import { t } from './i18n.js';

/** Length of each range and step of its grid, seconds. */
const RANGES = { '1h': [3600, 10], '6h': [21600, 60], '1d': [86400, 300], '7d': [604800, 1800], '30d': [2592000, 7200] };
/** A chart of a young series begins where the series does, but spans at least this, seconds. */
const SPAN_LEAST_S = 300;

let range = '6h';

/** A row of buttons, one pressed; tells `choose` of each press. */
export function rangeButtons(choose) {
  const press = (name) => {
    range = name;
    buttons.forEach((button) => button.setAttribute('aria-pressed', String(button.dataset.range === name)));
    choose();
  };
  const buttons = Object.keys(RANGES).map((name) =>
    h('button', { 'aria-pressed': String(name === range), 'data-range': name, onclick: () => press(name) }, t(`range.${name}`)));
  return h('div', { class: 'segments', role: 'group', 'aria-label': t('range.label') }, buttons);
}

const fetch = (id, metric, from_s, now_s, step_s, signal) =>
  orNothing(api.series(id, { metric, from_s, to_s: now_s + 1, step_s }, signal));

/** The series over the chosen range; over the part that is there, on a finer grid, where it is young. */
export async function past(id, metric, now_s, signal) {
  const [span_s, step_s] = RANGES[range];
  const from_s = now_s - span_s;
  const series = await fetch(id, metric, from_s, now_s, step_s, signal);
  const first = series?.values.findIndex((value) => value !== null) ?? -1;
  const first_s = first < 0 ? from_s : series.start_s + first * series.step_s;
  if (first_s - from_s <= span_s / 2) return { series, from_s };
  const begin_s = Math.min(first_s - step_s, now_s - SPAN_LEAST_S);
  const fine_s = Object.values(RANGES).find(([span]) => span >= now_s - begin_s)[1];
  return { series: fine_s < step_s ? await fetch(id, metric, begin_s, now_s, fine_s, signal) : series, from_s: begin_s };
}
