// How each forecaster did in the back-test, as bars against seasonal naive.

import { h } from './dom.js';
import { t, word } from './i18n.js';

const NAIVE = 1;

export function scoreTables(scores) {
  if (!scores.length) return h('p', { class: 'empty' }, t('scores.none'));
  const metrics = [...new Set(scores.map((one) => one.metric))];
  return [h('p', { class: 'muted small' }, t('scores.text')),
    h('div', { class: 'scores' }, metrics.map((metric) => one(metric, scores.filter((score) => score.metric === metric))))];
}

function one(metric, scores) {
  const top = Math.max(NAIVE, ...scores.map((score) => score.score)) * 1.05;
  return h('section', {}, h('h3', {}, word('metric', metric)), scores.map((score) => {
    const bar = h('i', {});
    bar.style.width = `${(score.score / top) * 100}%`;
    return h('div', { class: `score ${score.chosen ? 'score-chosen' : ''}` },
      h('span', {}, score.by), h('span', { class: 'score-bar', 'aria-hidden': 'true' }, bar), h('span', { class: 'num' }, score.score.toFixed(2)));
  }));
}
