// What a forecast rests on: asked for when it is opened, since each part is taken away and the forecast made again.

import { api } from './api.js';
import { h, replace } from './dom.js';
import { moment, share } from './format.js';
import { t, word } from './i18n.js';

/** A panel with a line to open per metric that is forecast. */
export function driversPanel(id, metrics) {
  return [h('h2', {}, t('drivers.title')), metrics.map((metric) => drivers(id, metric))];
}

function drivers(id, metric) {
  const body = h('div', { class: 'drivers' });
  const element = h('details', { class: 'why', 'data-drivers': metric }, h('summary', {}, h('span', {}, word('metric', metric))), body);
  element.addEventListener('toggle', () => { if (element.open) draw(body, id, metric); });
  return element;
}

async function draw(body, id, metric) {
  if (!body.childElementCount) replace(body, h('p', { class: 'muted', role: 'status' }, t('drivers.wait')));
  try {
    const why = await api.why(id, metric);
    replace(body, strip(why), h('p', { class: 'words' }, why.words));
  } catch (problem) {
    replace(body, h('p', { class: 'empty' }, problem.message));
  }
}

/** The past from left to right; the darker a stretch, the more of the forecast rests on it. */
function strip({ past, at_s }) {
  const most = Math.max(...past.map((stretch) => stretch.share), 1e-9);
  const part = (stretch) => {
    const piece = h('li', { title: t('drivers.stretch', { from: moment(stretch.from_s, at_s), to: moment(stretch.to_s, at_s), share: share(stretch.share) }) });
    piece.style.setProperty('--driven', `${Math.round((100 * stretch.share) / most)}%`);
    return piece;
  };
  return [h('ol', { class: 'drivers-strip', 'aria-label': t('drivers.strip') }, past.map(part)),
    h('p', { class: 'drivers-ends faint num' }, h('span', {}, moment(past[0]?.from_s ?? at_s, at_s)), h('span', {}, moment(at_s, at_s)))];
}
