// Pieces of the workload table: one row, the words of a state, and how rows are put in order.

import { h, replace } from './dom.js';
import { amount, duration, moment, setting, short } from './format.js';
import { t, word } from './i18n.js';
import { bullet, spark } from './spark.js';

export const workloadLink = (id) => `#/workload/${encodeURIComponent(id)}`;

/** Why a workload is in its state, in a sentence. */
export function footingWhy(footing) {
  return t(`footing.${footing.name}.why`, {
    why: footing.why,
    knob: word('knob', footing.knob),
    found: setting(footing.found, footing.knob?.endsWith('cores') ? 'cores' : 'bytes'),
    age: duration(footing.age_s ?? NaN),
  });
}

export function footingChip(footing) {
  return h('span', { class: `chip chip-${footing.name}`, title: footingWhy(footing) }, word('footing', footing.name));
}

/** The last part of a path stands out. */
export function workloadName(id) {
  const cut = id.lastIndexOf('/', id.length - 2) + 1;
  return [cut > 1 && h('span', { class: 'path' }, id.slice(0, cut)), h('span', { class: 'leaf' }, id.slice(cut > 1 ? cut : 0))];
}

const COLUMNS = ['name', 'state', 'cpu-now', 'cpu-peak', 'cpu-limit', 'memory-now', 'memory-peak', 'memory-limit', 'saving'];

/** One row; `update` fills it anew and leaves its link alone, so that the focus stays. */
export function row(id) {
  const cells = Object.fromEntries(COLUMNS.map((name) => [name, h('td', { class: `c-${name}` })]));
  const about = h('span', { class: 'about' });
  const link = h('a', { class: 'row-link', href: workloadLink(id), title: id }, workloadName(id));
  cells.name.append(link, about);
  const element = h('tr', {}, Object.values(cells));
  element.addEventListener('click', (event) => {
    if (event.target.closest('a') || getSelection().toString()) return;
    location.hash = workloadLink(id);
  });
  return {
    element,
    link,
    update(data, now_s) {
      const priority = data.priority === 1 ? [] : [' · ', h('span', { class: `priority-${data.priority}` }, word('priority', data.priority))];
      replace(about, word('kind', data.kind), priority);
      replace(cells.state, footingChip(data.footing));
      fillResource(cells, 'cpu', data.cpu, now_s);
      fillResource(cells, 'memory', data.memory, now_s);
      replace(cells.saving, h('span', { class: 'cell-label' }, t('table.saving')), saving(data.cpu), saving(data.memory));
    },
  };
}

function fillResource(cells, name, resource, now_s) {
  const { knob } = resource;
  const label = h('span', { class: 'cell-label' }, t(`summary.${name}`));
  replace(cells[`${name}-now`], label, spark(resource.spark), h('span', { class: 'num' }, short(resource.used, knob.unit)));
  const peak = knob.peak && [
    h('span', { class: 'num' }, short(knob.peak.q90, knob.unit)),
    h('span', { class: 'sub' }, moment(knob.peak.at_s, now_s))];
  replace(cells[`${name}-peak`], peak ?? h('span', { class: 'faint' }, '–'));
  replace(cells[`${name}-limit`], limit(resource));
}

function limit({ used, knob }) {
  if (knob.allotted === null && knob.setting === null) return h('span', { class: 'faint' }, '–');
  const set = knob.setting === null ? '–' : setting(knob.setting, knob.unit);
  const text = h('span', { class: 'num limit' },
    h('span', { class: 'muted' }, set), h('span', { class: 'arrow' }, '→'), h('b', {}, short(knob.allotted, knob.unit)));
  return [text, bullet({ used, peak: knob.peak?.q90, allotted: knob.allotted, set: knob.setting })];
}

function saving({ knob }) {
  if (knob.saving === null || Math.abs(knob.saving) < (knob.unit === 'cores' ? 0.005 : 2 ** 20)) return null;
  const kind = knob.saving < 0 ? 'needs' : 'saves';
  const sign = knob.saving < 0 ? '−' : '';
  return h('span', { class: `num ${kind}` }, sign + amount(Math.abs(knob.saving), knob.unit));
}

/** Keys by which rows can be put in order; greater first, names ascending. */
export const ORDERS = {
  name: (data) => data.id,
  state: (data) => data.footing.name,
  'cpu-now': (data) => data.cpu.used,
  'cpu-peak': (data) => data.cpu.knob.peak?.q90,
  'cpu-limit': (data) => data.cpu.knob.allotted,
  'memory-now': (data) => data.memory.used,
  'memory-peak': (data) => data.memory.knob.peak?.q90,
  'memory-limit': (data) => data.memory.knob.allotted,
  saving: (data, capacity) => (data.cpu.knob.saving ?? 0) / capacity.cpu + (data.memory.knob.saving ?? 0) / capacity.memory,
};

export function compare(order, capacity) {
  const key = ORDERS[order.by];
  const sign = order.down ? -1 : 1;
  return (a, b) => {
    const [x, y] = [key(a, capacity) ?? -Infinity, key(b, capacity) ?? -Infinity];
    const by = typeof x === 'string' ? x.localeCompare(y) : x - y;
    return sign * by || a.id.localeCompare(b.id);
  };
}
