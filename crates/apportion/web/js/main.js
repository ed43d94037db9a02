// The shell: which view is shown, the bar above it, and one refresh a tick.

import { api, listen } from './api.js';
import { decisionsView } from './decisions.js';
import { h, icon, replace } from './dom.js';
import { ago, clock, duration } from './format.js';
import { language, setLanguage, t } from './i18n.js';
import { machineView } from './machine.js';
import { logIn, problemText, toast } from './session.js';
import { tableView } from './table.js';
import { tellView } from './tell.js';
import { workloadView } from './workload.js';

const NOTICE_MS = 200;
const bar = document.getElementById('bar');
const banner = document.getElementById('banner');
const main = document.getElementById('view');
const app = { status: null, refresh };
/** null until the stream first opened or failed. */
let connected = null;
let heard_ms = 0;
/** The view that is wanted, and the one that is drawn. */
let view = null;
let shown = null;
let loading = null;
let again = null;

function route() {
  const [name = '', argument = ''] = location.hash.replace(/^#\/?/, '').split('/');
  if (name === 'workload' && argument) return () => workloadView(app, decodeURIComponent(argument));
  if (name === 'machine') return () => machineView(app);
  if (name === 'tell') return () => tellView(app);
  if (name === 'decisions') return () => decisionsView(app);
  return () => tableView(app);
}

function show({ keepScroll } = {}) {
  loading?.abort();
  loading = null;
  shown?.destroy();
  shown = null;
  const mine = view = route()();
  document.title = `${view.title} · Apportion`;
  view.pending = true;
  // What is quick needs no notice of waiting.
  setTimeout(() => {
    if (view === mine && view.pending) replace(main, h('p', { class: 'loading', role: 'status' }, t('loading')));
  }, NOTICE_MS);
  if (!keepScroll) window.scrollTo(0, 0);
  drawBar();
  refresh();
}

/** Asks for all that is shown. One at a time: what comes meanwhile is done once more at the end. */
async function refresh(options = {}) {
  if (loading) {
    again = { ...again, ...options };
    return;
  }
  const mine = loading = new AbortController();
  try {
    app.status = await api.status(mine.signal);
    stream.expectEvery(app.status.every_s);
    await view.update(mine.signal, options);
    if (view.pending) replace(main, view.element);
    view.pending = false;
    shown = view;
  } catch (problem) {
    if (mine.signal.aborted) return;
    failed(problem);
  }
  if (loading === mine) loading = null;
  drawBar();
  if (again) {
    const more = again;
    again = null;
    refresh(more);
  }
}

async function failed(problem) {
  if (problem.status === 401) {
    if (await logIn({ reading: true })) {
      stream.reopen();
      refresh({ force: true });
    }
  } else if (view.pending || problem.status === 404) {
    view.pending = true;
    replace(main, h('div', { class: 'empty', role: 'alert' },
      h('h2', {}, t('error.title')), h('p', {}, problemText(problem)), problem.place && h('p', { class: 'faint' }, h('code', {}, problem.place)),
      h('button', { class: 'button', onclick: () => show() }, t('error.retry'))));
  }
}

function drawBar() {
  const name = location.hash.replace(/^#\/?/, '').split('/')[0];
  const link = (to, key) => h('a', { href: `#/${to}`, 'aria-current': (name === to || (to === '' && name === 'workload')) && 'page' }, t(key));
  const focused = bar.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const button = (key, label, content, act, more = {}) => h('button', { class: 'bar-button', 'data-key': key, title: label, 'aria-label': label, onclick: act, ...more }, content);
  const { writable, logged_in } = app.status ?? {};
  const lock = !app.status || writable
    ? button('lock', logged_in ? t('login.lock') : t('login.unlock'), icon(logged_in ? 'unlock' : 'lock'), toggleLock, { 'aria-pressed': String(Boolean(logged_in)) })
    : button('lock', t('login.none'), icon('lock'), null, { disabled: true });
  replace(bar,
    h('a', { class: 'brand', href: '#/' }, h('img', { src: '/assets/icon.svg', alt: '', width: 22, height: 22 }), h('span', {}, 'Apportion')),
    h('nav', { 'aria-label': 'Apportion' }, link('', 'nav.workloads'), link('machine', 'nav.machine'), link('decisions', 'nav.decisions'), link('tell', 'nav.tell'), h('a', { href: '/api' }, t('nav.api'))),
    h('div', { class: 'bar-end' }, liveness(),
      button('language', t('language.toggle'), t('language.name'), () => setLanguage(language() === 'zh' ? 'en' : 'zh'), { lang: language() === 'zh' ? 'en' : 'zh' }),
      button('theme', t('theme.toggle'), icon(window.theme.current === 'dark' ? 'sun' : 'moon'), () => window.theme.toggle()),
      lock));
  if (focused) bar.querySelector(`[data-key="${focused}"]`)?.focus();
}

function liveness() {
  const state = connected === null ? 'connecting' : connected ? 'live' : 'reconnecting';
  return h('span', { id: 'live', class: `live live-${state}`, 'data-tick': app.status?.tick }, h('i', {}), h('span', {}, t(state)), h('span', { class: 'faint num live-age' }, age()));
}

const age = () => (connected && heard_ms ? ago(Math.round((Date.now() - heard_ms) / 1000)) : '');

/** Says what is wrong with the connection or the loop, and how old the picture is. */
function drawBanner() {
  const silent_s = (Date.now() - heard_ms) / 1000;
  const overdue = connected && heard_ms && app.status && silent_s > Math.max(5, app.status.every_s * 3);
  const at = app.status ? clock(app.status.now_s) : '–';
  banner.hidden = connected !== false && !overdue;
  if (connected === false) banner.textContent = t('disconnected', { time: at });
  else if (overdue) banner.textContent = t('overdue', { time: duration(silent_s), at });
  const place = document.querySelector('.live-age');
  if (place) place.textContent = age();
}

async function toggleLock() {
  if (app.status?.logged_in) {
    await api.logOut();
    toast(t('login.out'));
  } else if (!(await logIn())) return;
  refresh();
}

function onTick() {
  heard_ms = Date.now();
  if (!document.hidden) refresh();
}

function onState(state) {
  if (connected === state) return;
  connected = state;
  drawBar();
  drawBanner();
}

window.addEventListener('hashchange', () => show());
document.addEventListener('theme', () => show({ keepScroll: true }));
document.addEventListener('language', () => show({ keepScroll: true }));
document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });
setInterval(drawBanner, 1000);
const stream = listen(onTick, onState);
show();
