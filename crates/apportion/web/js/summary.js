// The strip above the table: CPU, memory, what could be given back, what was decided.

import { h, replace } from './dom.js';
import { amount, short } from './format.js';
import { t, word } from './i18n.js';

/** A bar of what there is: used filled, allotted and wanted marked. */
export function meter({ capacity, used, allotted, wanted }) {
  const top = Math.max(capacity ?? 0, allotted, wanted, used ?? 0) || 1;
  const bar = h('div', { class: 'meter', 'aria-hidden': 'true' });
  const part = (name, from, to) => {
    const piece = h('i', { class: `meter-${name}` });
    piece.style.left = `${(from / top) * 100}%`;
    piece.style.width = `${Math.max(0, ((to - from) / top) * 100)}%`;
    bar.append(piece);
  };
  part('capacity', 0, capacity ?? top);
  part('allotted', 0, allotted);
  part('used', 0, used ?? 0);
  if (wanted > allotted * 1.001) part('wanted', allotted, wanted);
  return bar;
}

function resourceCell(name, resource) {
  const { unit, capacity, used } = resource;
  const pair = (key, value) => h('span', {}, h('span', { class: 'faint' }, `${t(`summary.${key}`)} `), h('span', { class: 'num' }, amount(value, unit)));
  return h('section', { class: 'cell' },
    h('h3', {}, t(`summary.${name}`)),
    h('p', { class: 'figure' }, h('b', { class: 'num' }, short(used, unit)), h('span', { class: 'muted' }, ` ${t('of')} ${amount(capacity, unit)}`)),
    meter(resource),
    h('p', { class: 'sub-line' }, pair('allotted', resource.allotted), pair('set', resource.set)));
}

function savingCell(cpu, memory) {
  const limited = cpu.set > 0 || memory.set > 0;
  if (!limited) return h('section', { class: 'cell' }, h('h3', {}, t('summary.saving')), h('p', { class: 'figure faint' }, h('b', {}, '–')), h('p', { class: 'sub-line faint' }, t('summary.saving.none')));
  return h('section', { class: 'cell' },
    h('h3', {}, t('summary.saving')),
    h('p', { class: 'figure' }, h('b', { class: 'num saves' }, amount(cpu.saving, 'cores'))),
    h('p', { class: 'figure figure-second' }, h('b', { class: 'num saves' }, amount(memory.saving, 'bytes'))),
    h('p', { class: 'sub-line faint' }, t('summary.saving.text')));
}

function decisionCell(status) {
  const total = status.decisions.reduce((sum, one) => sum + one.count, 0);
  const by = new Map();
  for (const { verdict, count } of status.decisions) by.set(verdict, (by.get(verdict) ?? 0) + count);
  const parts = [...by].sort((a, b) => b[1] - a[1]).slice(0, 3);
  return h('section', { class: 'cell' },
    h('h3', {}, t('loop.decisions')),
    h('p', { class: 'figure' }, h('a', { href: '#/decisions' }, h('b', { class: 'num' }, total))),
    h('p', { class: 'sub-line' }, parts.map(([verdict, count]) => h('span', {}, h('span', { class: 'num' }, count), ` ${word('verdict', verdict)}`))),
    h('p', { class: 'sub-line' }, h('span', { class: status.harms ? 'harm' : 'faint' }, `${t('loop.harms')} ${status.harms}`)));
}

export function summary() {
  const element = h('div', { class: 'summary' });
  return {
    element,
    update(machine, status) {
      const of = (name) => machine.resources.find((one) => one.resource === name);
      replace(element, resourceCell('cpu', of('cpu')), resourceCell('memory', of('memory')), savingCell(of('cpu'), of('memory')), status && decisionCell(status));
    },
  };
}
