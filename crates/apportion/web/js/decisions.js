// Decisions: the list of all, and the list inside a workload's page.

import { api } from './api.js';
import { h, icon, replace } from './dom.js';
import { amount, fullTime, setting } from './format.js';
import { t, word } from './i18n.js';
import { reasonTable } from './reason.js';
import { workloadLink, workloadName } from './rows.js';
import { ask, withToken } from './session.js';

const PAGE = 50;
const VERDICTS = ['applied', 'dry_run', 'refused', 'failed', 'drifted', 'unchanged'];

/** One decision as a list item. */
export function decisionItem(app, one, { withWorkload }) {
  const to = one.to ?? one.proposed;
  const direction = one.to === null ? 'muted' : one.cut ? 'saves' : 'needs';
  const change = h('span', { class: `change num ${direction}` },
    setting(one.from, one.unit), h('span', { class: 'arrow' }, '→'), setting(to, one.unit));
  const verdict = h('span', { class: `chip verdict-${one.verdict}` },
    word('verdict', one.verdict), one.refusal && `: ${word('refusal', one.refusal)}`);
  const undo = one.verdict === 'applied' && app.status?.writable && h('button', {
    class: 'button button-small', onclick: () => rollBack(app, one),
  }, icon('undo'), t('act.rollback'));
  return h('li', { class: 'decision', 'data-id': one.id },
    h('time', { class: 'num faint', datetime: new Date(one.time_s * 1000).toISOString() }, fullTime(one.time_s)),
    h('div', { class: 'decision-body' },
      h('div', { class: 'decision-head' },
        withWorkload && h('a', { href: workloadLink(one.workload) }, workloadName(one.workload)),
        h('span', { class: 'muted' }, word('knob', one.knob)), change, verdict, undo),
      h('details', {}, h('summary', { class: 'words', title: t('decisions.numbers') }, gist(one)),
        reasonTable(one.reason, one.unit, one.time_s)),
      one.note && h('p', { class: 'words harm' }, one.note)));
}

/** The words without number, time and name, which stand above them already. */
function gist({ words, workload }) {
  const at = words.indexOf(workload);
  const rest = at < 0 ? words : words.slice(at + workload.length).replace(/^[:：]\s*/, '');
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}

/** Changes when the loop decided something, and once a minute because people decide too: then the ledger is asked again. */
export function ledgerMark(status) {
  const decided = status?.decisions.reduce((sum, one) => sum + one.count, 0);
  return `${status?.started_s} ${decided} ${Math.floor(status?.now_s / 60)}`;
}

function rollBack(app, one) {
  return withToken(app, () => ask({
    title: t('act.rollback.title', { what: t('decisions.number', { id: one.id }) }),
    text: t('act.rollback.one', { from: one.from === 'unlimited' ? t('unlimited') : amount(one.from, one.unit) }),
    go: t('act.rollback'), danger: true,
    submit: () => api.rollBackDecision(one.id),
  }));
}

/** Newest first, older on request; what is open stays open. */
export function decisionsView(app) {
  const list = h('ol', { class: 'decisions' });
  const filters = h('div', { class: 'filters', role: 'group', 'aria-label': t('table.state') });
  const more = h('div', { class: 'after' });
  const element = h('div', { class: 'page' }, h('div', { class: 'toolbar' }, h('h1', {}, t('decisions.title')), filters), list, more);
  let known = [];
  let next = null;
  let only = null;
  let mark = null;
  const items = new Map();

  function draw() {
    const shown = known.filter((one) => !only || one.verdict === only);
    shown.forEach((one) => { if (!items.has(one.id)) items.set(one.id, decisionItem(app, one, { withWorkload: true })); });
    const elements = shown.map((one) => items.get(one.id));
    if (elements.length !== list.children.length || elements.some((one, place) => list.children[place] !== one)) list.replaceChildren(...elements);
    const counts = new Map();
    for (const one of known) counts.set(one.verdict, (counts.get(one.verdict) ?? 0) + 1);
    const chip = (name, label, number) => h('button', { class: 'filter', 'aria-pressed': String(only === name), onclick: () => { only = name; draw(); } }, label, h('span', { class: 'num' }, number));
    replace(filters, chip(null, t('decisions.all'), known.length), VERDICTS.filter((name) => counts.has(name)).map((name) => chip(name, word('verdict', name), counts.get(name))));
    replace(more,
      !shown.length && h('div', { class: 'empty' }, known.length ? t('decisions.none.filter') : t('decisions.none')),
      next !== null && h('button', { class: 'button', onclick: older }, t('decisions.more')));
  }

  async function older() {
    const page = await api.decisions({ before: next, limit: PAGE });
    known = known.concat(page.decisions);
    next = page.next_before;
    draw();
  }

  return {
    element,
    title: t('nav.decisions'),
    async update(signal, { force } = {}) {
      if (mark === ledgerMark(app.status) && !force) return;
      const page = await api.decisions({ limit: PAGE }, signal);
      mark = ledgerMark(app.status);
      const newest = known[0]?.id ?? -1;
      const fresh = page.decisions.filter((one) => one.id > newest);
      // More new ones than a page holds: begin anew rather than leave a hole.
      const hole = known.length > 0 && fresh.length === PAGE;
      if (!known.length || hole) next = page.next_before;
      known = hole ? fresh : fresh.concat(known);
      draw();
    },
    destroy() {},
  };
}
