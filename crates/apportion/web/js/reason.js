// A reason as a table of its numbers.

import { h } from './dom.js';
import { amount, duration, moment, share, utcDay } from './format.js';
import { t } from './i18n.js';

/** Label and content; nothing where there is nothing. */
const line = (label, content) => content && h('div', {}, h('dt', {}, label), h('dd', {}, content));

/** The numbers behind an allotment. `now_s` decides whether a time needs its day. */
export function reasonTable(reason, unit, now_s, before = []) {
  const { used, expected, counterfactual } = reason;
  const of = (value) => amount(value, unit);
  return h('dl', { class: 'reason' }, before.map(([label, content]) => line(label, content)),
    used && line(t('why.used', { window: duration(used.window_s) }),
      present(used) + t('why.used.text', { p50: of(used.p50), p95: of(used.p95), max: of(used.max), at: moment(used.max_at_s, now_s) })),
    expected && line(t('why.expected'), t('why.expected.text', {
      q50: of(expected.peak.q50), q10: of(expected.peak.q10), q90: of(expected.peak.q90),
      at: moment(expected.peak.at_s, now_s), by: expected.by,
    })),
    reason.quantile > 0 && line(t('why.cover'), cover(reason)),
    line(t('why.binding'), binding(reason.binding, unit) + (reason.bound === null ? '' : `: ${of(reason.bound)}`)),
    reason.asked && line(t(reason.asked.by_signal ? 'why.signal' : 'why.reported'), asked(reason.asked, of)),
    reason.said.length > 0 && line(t('why.said'), reason.said.join(', ')),
    counterfactual && line(t('why.lower', { value: of(counterfactual.value) }), lower(counterfactual)));
}

/** Says how much of the window was recorded where that is not nearly all of it. */
const present = (used) => (used.present_share < 0.95 ? t('why.used.present', { share: share(used.present_share) }) : '');

function cover(reason) {
  const harm = reason.margin / (reason.asked?.factor ?? 1);
  const margin = harm > 1.001 ? t('why.margin', { margin: harm.toFixed(2) }) : '';
  return t('why.cover.text', { quantile: share(reason.quantile) }) + margin;
}

/** What was asked for beyond what is enough: a factor, an amount, or both. */
function asked(one, of) {
  const factor = one.factor !== 1 && `× ${Number(one.factor.toFixed(2))}`;
  const added = one.added !== 0 && `${one.added < 0 ? '−' : '+'} ${of(Math.abs(one.added))}`;
  return [factor, added].filter(Boolean).join(', ');
}

export function binding(one, unit) {
  return t(`binding.${one.name}`, { of: one.of, rule: one.rule, wanted: amount(one.wanted, unit), capacity: amount(one.capacity, unit), usual: amount(one.usual, unit) });
}

function lower(one) {
  const window = duration(one.window_s);
  if (one.over_s <= 0 || one.worst_day_s === null) return t('why.lower.never', { window });
  return t('why.lower.text', { over: duration(one.over_s), window, worst: duration(one.worst_day_over_s), day: utcDay(one.worst_day_s) });
}
