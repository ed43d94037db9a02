// The workload table: filter, order, rows that stay where they are while somebody looks at them.

import { api } from './api.js';
import { h, icon, replace } from './dom.js';
import { t, word } from './i18n.js';
import { compare, row } from './rows.js';
import { summary } from './summary.js';

const PAGE_ROWS = 200;
const FOOTINGS = ['managed', 'recommend', 'held', 'ceded', 'stale', 'own'];
const GROUPS = [
  { title: null, columns: [['name', 'table.workload'], ['state', 'table.state']] },
  { title: 'table.cpu', columns: [['cpu-now', 'table.now'], ['cpu-peak', 'table.peak'], ['cpu-limit', 'table.limit']] },
  { title: 'table.memory', columns: [['memory-now', 'table.now'], ['memory-peak', 'table.peak'], ['memory-limit', 'table.limit']] },
  { title: null, columns: [['saving', 'table.saving']] },
];
/** Outlives the view: coming back finds the table as it was left. */
const kept = { by: 'cpu-now', down: true, text: '', footing: null };

export function tableView(app) {
  const strip = summary();
  const search = h('input', {
    type: 'search', class: 'search-field', placeholder: t('table.search'), 'aria-label': t('table.search'), value: kept.text,
    oninput: () => { kept.text = search.value; draw(true); },
  });
  const chips = h('div', { class: 'filters', role: 'group', 'aria-label': t('table.state') });
  const count = h('span', { class: 'faint num', role: 'status' });
  const body = h('tbody');
  const headers = new Map();
  const table = h('table', { class: 'workloads' }, head(headers, (by) => sortBy(by)), body);
  const after = h('div', { class: 'after' });
  const frame = h('div', { class: 'table-frame', hidden: true }, table);
  const sorter = phoneSorter((by) => sortBy(by));
  const element = h('div', { class: 'page' }, strip.element,
    h('div', { class: 'toolbar' },
      h('label', { class: 'search' }, icon('search'), search), chips, sorter, count,
      h('span', { class: 'keys faint' }, t('table.keys'))),
    frame, after);
  const rows = new Map();
  let data = null;
  let limit = PAGE_ROWS;

  function sortBy(by) {
    kept.down = kept.by === by ? !kept.down : by !== 'name' && by !== 'state';
    kept.by = by;
    draw(true);
  }

  function matches(one) {
    return (!kept.footing || one.footing.name === kept.footing) && one.id.toLowerCase().includes(kept.text.trim().toLowerCase());
  }

  /** Rows keep their places between ticks while the pointer or the focus is on them, so that nothing jumps under a hand. */
  function ordered(force) {
    const found = data.workloads.filter(matches);
    const still = !force && (frame.matches(':hover') || frame.contains(document.activeElement));
    if (!still) return found.sort(compare(kept, data.capacity));
    const places = new Map([...rows.keys()].map((id, place) => [id, place]));
    return found.sort((a, b) => (places.get(a.id) ?? Infinity) - (places.get(b.id) ?? Infinity));
  }

  function draw(force) {
    if (!data) return;
    const found = ordered(force);
    const shown = found.slice(0, limit);
    const focused = document.activeElement;
    const fresh = new Map(shown.map((one) => [one.id, rows.get(one.id) ?? row(one.id)]));
    shown.forEach((one) => fresh.get(one.id).update(one, data.now_s));
    rows.clear();
    fresh.forEach((one, id) => rows.set(id, one));
    const elements = [...fresh.values()].map((one) => one.element);
    if (elements.length !== body.children.length || elements.some((one, place) => body.children[place] !== one)) {
      body.replaceChildren(...elements);
      if (body.contains(focused)) focused.focus({ preventScroll: true });
    }
    frame.hidden = !shown.length;
    drawAround(found, shown);
  }

  function drawAround(found, shown) {
    replace(count, t('table.count', { shown: found.length, all: data.workloads.length }));
    headers.forEach((header, by) => header.setAttribute('aria-sort', by !== kept.by ? 'none' : kept.down ? 'descending' : 'ascending'));
    sorter.querySelector('select').value = kept.by;
    drawChips();
    const more = found.length - shown.length;
    if (more > 0) replace(after, h('button', { class: 'button', onclick: () => { limit += PAGE_ROWS; draw(true); } }, t('table.more', { count: more })));
    else if (!data.workloads.length) replace(after, h('div', { class: 'empty' }, h('h2', {}, t('table.none.title')), h('p', {}, t('table.none'))));
    else if (!found.length) replace(after, h('div', { class: 'empty' }, h('p', {}, t('table.empty')), h('button', { class: 'button', onclick: clear }, t('table.clear'))));
    else replace(after);
  }

  function drawChips() {
    const counts = new Map();
    for (const one of data.workloads) counts.set(one.footing.name, (counts.get(one.footing.name) ?? 0) + 1);
    const chip = (name, label, number) => h('button', {
      class: `filter ${name ? `filter-${name}` : ''}`, 'aria-pressed': String(kept.footing === name),
      onclick: () => { kept.footing = kept.footing === name ? null : name; draw(true); },
    }, label, h('span', { class: 'num' }, number));
    const focused = [...chips.children].indexOf(document.activeElement);
    replace(chips, chip(null, t('table.all'), data.workloads.length),
      FOOTINGS.filter((name) => counts.has(name)).map((name) => chip(name, word('footing', name), counts.get(name))));
    if (focused >= 0) chips.children[focused]?.focus();
  }

  function clear() {
    kept.text = search.value = '';
    kept.footing = null;
    draw(true);
  }

  function keys(event) {
    if (event.target.closest('input, textarea, select, dialog') && event.target !== search) return;
    if (event.key === '/' && event.target !== search) {
      event.preventDefault();
      search.focus();
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const links = [...body.querySelectorAll('.row-link')];
      const at = links.indexOf(document.activeElement);
      const next = links[at + (event.key === 'ArrowDown' ? 1 : -1)];
      if (next) {
        event.preventDefault();
        next.focus();
      }
    }
  }
  document.addEventListener('keydown', keys);

  return {
    element,
    title: t('nav.workloads'),
    async update(signal) {
      const [list, machine] = await Promise.all([api.workloads(signal), api.machine(signal)]);
      const capacity = (name) => machine.resources.find((one) => one.resource === name)?.capacity || 1;
      data = { ...list, capacity: { cpu: capacity('cpu'), memory: capacity('memory') } };
      strip.update(machine, app.status);
      draw(false);
    },
    destroy: () => document.removeEventListener('keydown', keys),
  };
}

function head(headers, sortBy) {
  const groups = h('tr', { class: 'groups' }, GROUPS.map((group) =>
    h('th', { colspan: group.columns.length, scope: 'colgroup', class: group.title ? 'group' : '' }, group.title && t(group.title))));
  const columns = h('tr', {}, GROUPS.flatMap((group) => group.columns).map(([by, key]) => {
    const header = h('th', { scope: 'col', class: `c-${by}` },
      h('button', { class: 'sort', title: t('table.sort', { column: t(key) }), onclick: () => sortBy(by) }, t(key)));
    headers.set(by, header);
    return header;
  }));
  return h('thead', {}, groups, columns);
}

/** Where the head is hidden (a phone), a list chooses the order. */
function phoneSorter(sortBy) {
  const option = ([by, key], group) => h('option', { value: by }, (group.title ? `${t(group.title)}: ` : '') + t(key));
  const options = GROUPS.flatMap((group) => group.columns.map((column) => option(column, group)));
  return h('label', { class: 'phone-sort' }, h('select', { 'aria-label': t('table.sort', { column: '' }), onchange: (event) => sortBy(event.target.value) }, options));
}
