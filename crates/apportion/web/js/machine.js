// The machine: what there is and who has it, its own past, and the loop that watches it.

import { api } from './api.js';
import { fanChart } from './charts.js';
import { h, replace } from './dom.js';
import { amount, duration, short } from './format.js';
import { t, word } from './i18n.js';
import { past, rangeButtons } from './past.js';
import { workloadLink, workloadName } from './rows.js';
import { meter } from './summary.js';

const MACHINE = 'machine';
/** Drawn as the limit of the machine's own chart. */
const CAPACITY_OF = { cpu_cores: 'cpu', memory_working_set_bytes: 'memory', memory_bytes: 'memory' };
const TOP = 6;
const CHARTS = ['cpu_cores', 'memory_working_set_bytes', 'memory_bytes', 'load_count', 'io_read_bytes_per_s', 'io_write_bytes_per_s', 'network_receive_bytes_per_s', 'network_send_bytes_per_s'];

export function machineView(app) {
  const resources = h('div', { class: 'resources' });
  const charts = h('div', { class: 'charts charts-three' });
  const tops = h('div', { class: 'stack' });
  const loop = h('div', { class: 'stack' });
  const element = h('div', { class: 'page' },
    h('div', { class: 'toolbar' }, h('h1', {}, t('machine.title'))), resources,
    h('div', { class: 'toolbar' }, rangeButtons(() => app.refresh({ force: true }))), charts,
    h('div', { class: 'two' }, tops, loop));
  const drawn = new Map();
  let drawnAt_s = 0;
  let redraw_s = 0;

  async function drawCharts(machine, signal) {
    const { now_s } = machine;
    const measured = new Map(machine.metrics.map((one) => [one.metric, one.unit]));
    const metrics = CHARTS.filter((metric) => measured.has(metric)).filter((metric) => metric !== 'memory_bytes' || !measured.has('memory_working_set_bytes'));
    await Promise.all(metrics.map(async (metric) => {
      const { series, from_s } = await past(MACHINE, metric, now_s, signal);
      if (!drawn.has(metric)) drawn.set(metric, fanChart({ name: word('metric', metric), unit: measured.get(metric), height: 120, group: 'machine' }));
      const setting = machine.resources.find((one) => one.resource === CAPACITY_OF[metric])?.capacity ?? null;
      drawn.get(metric).input = { series, forecast: null, changes: [], now_s, from_s, to_s: now_s, allotted: null, setting, whole: true };
    }));
    redraw_s = Math.min(...metrics.map((metric) => drawn.get(metric).input.series?.step_s ?? 0));
    metrics.forEach((metric) => {
      const chart = drawn.get(metric);
      if (!chart.element.isConnected) charts.append(chart.element);
      chart.update(chart.input);
    });
  }

  return {
    element,
    title: t('nav.machine'),
    async update(signal, { force } = {}) {
      const [machine, list] = await Promise.all([api.machine(signal), api.workloads(signal)]);
      replace(resources, machine.resources.map(resourceCard));
      replace(tops, topList('cpu', list), topList('memory', list));
      if (app.status) replace(loop, loopPanel(app.status), unreadPanel(app.status));
      if (force || machine.now_s - drawnAt_s >= redraw_s) {
        await drawCharts(machine, signal);
        drawnAt_s = machine.now_s;
      }
    },
    destroy: () => drawn.forEach((chart) => chart.destroy()),
  };
}

function resourceCard(one) {
  const row = (key, value, kind) => h('div', {}, h('dt', {}, h('i', { class: `key key-${kind}` }), t(`summary.${key}`)), h('dd', { class: 'num' }, amount(value, one.unit)));
  return h('section', { class: 'panel resource' },
    h('h2', {}, t(`machine.${one.resource}`), h('span', { class: 'muted num' }, one.capacity === null ? t('machine.capacity.unknown') : amount(one.capacity, one.unit))),
    meter(one),
    h('dl', { class: 'facts' }, row('used', one.used, 'meter-used'), row('allotted', one.allotted, 'meter-allotted'), row('wanted', one.wanted, 'meter-wanted'), row('set', one.set, 'none')),
    h('p', { class: 'small muted' }, [
      one.unlimited_count > 0 && t('machine.unlimited', { count: one.unlimited_count }),
      one.saving > 0 && t('machine.saving', { value: amount(one.saving, one.unit) }),
    ].filter(Boolean).join(' · ')));
}

function topList(name, list) {
  const used = list.workloads.filter((one) => one[name].used !== null).sort((a, b) => b[name].used - a[name].used).slice(0, TOP);
  const most = used[0]?.[name].used || 1;
  return h('section', { class: 'panel' }, h('h2', {}, t(`machine.top.${name}`)), h('ol', { class: 'top' }, used.map((one) => {
    const bar = h('i', {});
    bar.style.width = `${(one[name].used / most) * 100}%`;
    return h('li', {}, h('a', { href: workloadLink(one.id) }, workloadName(one.id)), h('span', { class: 'top-bar', 'aria-hidden': 'true' }, bar), h('span', { class: 'num' }, short(one[name].used, one[name].knob.unit)));
  })));
}

function loopPanel(status) {
  const fact = (key, value) => h('div', {}, h('dt', {}, t(`loop.${key}`)), h('dd', { class: 'num' }, value));
  return h('section', { class: 'panel' }, h('h2', {}, t('machine.loop')), h('dl', { class: 'facts facts-wide' },
    fact('tick', status.tick), fact('every', duration(status.every_s)), fact('last', duration(status.last_tick_s)), fact('mean', duration(status.mean_tick_s)),
    fact('started', duration(Math.max(0, status.now_s - status.started_s))), fact('harms', status.harms), fact('version', status.version),
    status.decisions.map((one) => h('div', {}, h('dt', {}, [word('verdict', one.verdict), one.refusal && word('refusal', one.refusal)].filter(Boolean).join(': ')), h('dd', { class: 'num' }, one.count)))));
}

function unreadPanel(status) {
  return h('section', { class: 'panel' }, h('h2', {}, t('machine.unread')),
    status.problems.length
      ? h('ul', { class: 'unread' }, status.problems.map((one) => h('li', {}, h('code', {}, one.where), h('span', { class: 'muted' }, one.what))))
      : h('p', { class: 'muted' }, t('machine.unread.none')));
}
