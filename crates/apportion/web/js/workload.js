// One workload: what it uses and will use, what it would be allotted and why, what was decided.

import { api, orNothing } from './api.js';
import { fanChart, legend } from './charts.js';
import { decisionItem, ledgerMark } from './decisions.js';
import { h, icon, replace } from './dom.js';
import { driversPanel } from './drivers.js';
import { amount, setting } from './format.js';
import { t, word } from './i18n.js';
import { past, rangeButtons } from './past.js';
import { reasonTable } from './reason.js';
import { footingChip, footingWhy, workloadName } from './rows.js';
import { scoreTables } from './scores.js';
import { ask, withToken } from './session.js';

/** Share of the range that may lie ahead. */
const AHEAD = 0.35;
const DECISIONS = 100;
const LARGE = ['cpu_cores', 'memory_working_set_bytes'];
/** In this order; what is not measured is left out, what is not named here follows. */
const ORDER = [...LARGE, 'io_read_bytes_per_s', 'io_write_bytes_per_s', 'network_receive_bytes_per_s', 'network_send_bytes_per_s',
  'requests_per_s', 'latency_s', 'errors_per_s', 'cpu_throttled_share', 'cpu_pressure_share', 'memory_pressure_share', 'io_pressure_share'];
/** Shown as numbers only. */
const PLAIN = ['memory_bytes', 'cpu_periods_per_s', 'cpu_throttled_periods_per_s', 'tasks_count', 'oom_kills_per_s'];

export function workloadView(app, id) {
  const head = h('header', { class: 'workload-head' });
  const large = h('div', { class: 'charts charts-two' });
  const small = h('div', { class: 'charts' });
  const why = h('section', { class: 'panel' });
  const drivers = h('section', { class: 'panel' });
  const scores = h('section', { class: 'panel' });
  const readings = h('section', { class: 'panel' });
  const list = h('ol', { class: 'decisions' });
  const element = h('div', { class: 'page' }, head,
    h('div', { class: 'toolbar' }, rangeButtons(() => app.refresh({ force: true })), legend(['used', 'median', 'fan', 'allotted', 'set', 'change'])),
    large, small,
    h('div', { class: 'two' }, h('div', { class: 'stack' }, why, drivers, scores, readings), h('section', { class: 'panel' }, h('h2', {}, t('decisions.title')), list)));
  const drawn = new Map();
  const items = new Map();
  let drawnAt_s = 0;
  let redraw_s = 0;
  let decisions = [];
  let mark = null;

  async function update(signal, { force } = {}) {
    const detail = await api.workload(id, signal);
    if (force || mark !== ledgerMark(app.status)) {
      ({ decisions } = await api.decisions({ workload: id, limit: DECISIONS }, signal));
      mark = ledgerMark(app.status);
    }
    drawHead(app, head, detail);
    drawWhy(why, detail);
    drawDrivers(detail);
    replace(scores, h('h2', {}, t('scores.title')), scoreTables(detail.scores));
    drawDecisions();
    drawReadings(readings, detail);
    if (force || detail.now_s - drawnAt_s >= redraw_s || detail.now_s < drawnAt_s) {
      await drawCharts(detail, signal);
      drawnAt_s = detail.now_s;
    }
  }

  /** Once: what is open stays as it was asked for. */
  function drawDrivers(detail) {
    const forecast = LARGE.filter((metric) => mainKnob(detail, metric));
    drivers.hidden = !forecast.length;
    if (forecast.length && !drivers.childElementCount) replace(drivers, driversPanel(detail.id, forecast));
  }

  function drawDecisions() {
    decisions.forEach((one) => { if (!items.has(one.id)) items.set(one.id, decisionItem(app, one, { withWorkload: false })); });
    const elements = decisions.map((one) => items.get(one.id));
    if (!elements.length) replace(list, h('li', { class: 'empty' }, t('decisions.none')));
    else if (elements.length !== list.children.length || elements[0] !== list.firstChild) list.replaceChildren(...elements);
  }

  async function drawCharts(detail, signal) {
    const metrics = chartMetrics(detail);
    for (const metric of metrics) {
      if (drawn.has(metric)) continue;
      const unit = detail.metrics.find((one) => one.metric === metric).unit;
      const isLarge = LARGE.includes(metric);
      const chart = fanChart({ name: word('metric', metric), unit, height: isLarge ? 220 : 120, group: 'workload' });
      chart.element.classList.toggle('chart-large', isLarge);
      drawn.set(metric, chart);
      (isLarge ? large : small).append(chart.element);
    }
    const inputs = await Promise.all(metrics.map((metric) => chartInput(detail, decisions, metric, signal)));
    inputs.forEach((input, index) => drawn.get(metrics[index]).update(input));
    // Nothing changes on a chart before its next grid point.
    redraw_s = Math.min(...inputs.map((input) => input.series?.step_s ?? 0));
  }

  return {
    element,
    title: id,
    update,
    destroy: () => drawn.forEach((chart) => chart.destroy()),
  };
}

function drawReadings(panel, detail) {
  const shown = detail.metrics.filter((one) => PLAIN.includes(one.metric));
  panel.hidden = !shown.length;
  replace(panel, h('h2', {}, t('readings.title')), h('dl', { class: 'facts facts-wide' }, shown.map((one) =>
    h('div', {}, h('dt', {}, word('metric', one.metric)), h('dd', { class: 'num' }, amount(one.value, one.unit))))));
}

function chartMetrics(detail) {
  const measured = detail.metrics.map((one) => one.metric).filter((metric) => !PLAIN.includes(metric));
  const named = ORDER.filter((metric) => measured.includes(metric));
  return named.concat(measured.filter((metric) => !ORDER.includes(metric)));
}

async function chartInput(detail, decisions, metric, signal) {
  const { now_s } = detail;
  const knob = mainKnob(detail, metric);
  const [{ series, from_s }, forecast] = await Promise.all([
    past(detail.id, metric, now_s, signal),
    knob ? orNothing(api.forecast(detail.id, metric, signal)) : null,
  ]);
  const end_s = forecast ? forecast.start_s + (forecast.quantiles.length - 1) * forecast.step_s : now_s;
  const changes = decisions.filter((one) => knob && one.knob === knob.knob && one.verdict === 'applied').reverse();
  return {
    series, forecast, changes, now_s, from_s, to_s: Math.max(now_s, Math.min(end_s, now_s + (now_s - from_s) * AHEAD)),
    allotted: knob?.allotted ?? null, setting: knob?.setting ?? null,
  };
}

/** The knob that a metric's demand decides; for memory the hard limit where there is one. */
function mainKnob(detail, metric) {
  const of = detail.knobs.filter((knob) => knob.metric === metric);
  return of.find((knob) => knob.knob === 'memory_max_bytes') ?? of[0] ?? null;
}

function drawHead(app, head, detail) {
  const { footing } = detail;
  const facts = [word('kind', detail.kind), detail.priority !== 1 && word('priority', detail.priority),
    ...Object.entries(detail.labels).map(([name, value]) => `${name} ${value}`)].filter(Boolean);
  replace(head,
    h('a', { class: 'back', href: '#/', 'aria-label': t('nav.workloads') }, icon('back')),
    h('div', { class: 'workload-title' }, h('h1', {}, workloadName(detail.id)), h('p', { class: 'muted' }, facts.join(' · '))),
    h('p', { class: 'standing' }, footingChip(footing), h('span', {}, footingWhy(footing))),
    detail.knobs.some((knob) => knob.setting !== null) && footing.name !== 'own' && h('div', { class: 'actions' }, actions(app, detail)));
}

function actions(app, detail) {
  const locked = !app.status?.writable;
  const button = (name, label, act, more = '') => h('button', {
    class: `button ${more}`, disabled: locked, title: locked ? t('login.none') : null, onclick: () => withToken(app, act),
  }, icon(name), label);
  const held = detail.footing.name === 'held';
  return [
    detail.footing.name === 'ceded' && button('hand', t('act.takeover'), () => api.takeOver(detail.id)),
    held ? button('play', t('act.release'), () => api.release(detail.id)) : button('pause', t('act.hold'), () => hold(detail.id)),
    button('undo', t('act.rollback'), () => rollBack(detail.id)),
  ];
}

function hold(id) {
  const until = (seconds) => (seconds ? Math.floor(Date.now() / 1000) + Number(seconds) : undefined);
  const choices = [[3600, '1h'], [21600, '6h'], [86400, '1d'], [604800, '7d']];
  return ask({
    title: t('act.hold.title', { workload: id }), text: t('act.hold.text'), go: t('act.hold.go'),
    fields: [
      h('label', {}, t('act.hold.why'), h('input', { name: 'why', required: true, maxlength: 500, autofocus: true })),
      h('label', {}, t('act.hold.until'), h('select', { name: 'for' },
        choices.map(([seconds, name]) => h('option', { value: seconds }, t(`range.${name}`))), h('option', { value: '' }, t('act.hold.ever')))),
    ],
    submit: (values) => api.hold(id, values.get('why'), until(values.get('for'))),
  });
}

function rollBack(id) {
  return ask({
    title: t('act.rollback.title', { what: id }), text: t('act.rollback.text'), go: t('act.rollback'), danger: true,
    submit: () => api.rollBackWorkload(id),
  });
}

function drawWhy(why, detail) {
  const knobs = detail.knobs.filter((knob) => knob.reason);
  const open = new Set([...why.querySelectorAll('details[open]')].map((one) => one.dataset.knob));
  const first = !why.childElementCount;
  replace(why, h('h2', {}, t('why.title')), knobs.length ? knobs.map((knob, index) => {
    const bounds = knob.min > 0 || knob.max !== null;
    const before = bounds ? [[t('why.bounds'), t('why.bounds.text', { min: amount(knob.min, knob.unit), max: knob.max === null ? t('unlimited') : amount(knob.max, knob.unit) })]] : [];
    return h('details', { class: 'why', open: first ? index < 2 : open.has(knob.knob), 'data-knob': knob.knob },
      h('summary', {}, h('span', {}, word('knob', knob.knob)),
        h('span', { class: 'num limit' }, h('span', { class: 'muted' }, knob.setting === null ? '–' : setting(knob.setting, knob.unit)),
          h('span', { class: 'arrow' }, '→'), h('b', {}, amount(knob.allotted ?? knob.wanted, knob.unit)))),
      reasonTable(knob.reason, knob.unit, detail.now_s, before));
  }) : h('p', { class: 'empty' }, t('why.none')));
}
