// Asking the server, and hearing from it.

import { language } from './i18n.js';

/** An answer that is not 2xx: what was wrong, where, what to do. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.what ?? `HTTP ${status}`);
    this.status = status;
    this.place = body.where ?? '';
    this.remedy = body.remedy ?? '';
  }
}

async function ask(method, path, body, signal) {
  const response = await fetch(path, {
    method,
    signal,
    headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const isJson = response.headers.get('content-type')?.includes('json');
  const answer = isJson ? await response.json() : null;
  if (!response.ok) throw new Problem(response.status, answer ?? {});
  return answer;
}

const workload = (id) => `/api/v1/workloads/${encodeURIComponent(id)}`;
const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return new URLSearchParams(given).toString();
};

export const api = {
  status: (signal) => ask('GET', '/api/v1/status', undefined, signal),
  machine: (signal) => ask('GET', '/api/v1/machine', undefined, signal),
  workloads: (signal) => ask('GET', '/api/v1/workloads', undefined, signal),
  workload: (id, signal) => ask('GET', workload(id), undefined, signal),
  series: (id, values, signal) => ask('GET', `${workload(id)}/series?${query(values)}`, undefined, signal),
  forecast: (id, metric, signal) => ask('GET', `${workload(id)}/forecast?${query({ metric })}`, undefined, signal),
  why: (id, metric, signal) => ask('GET', `${workload(id)}/forecast/why?${query({ metric, lang: language() })}`, undefined, signal),
  decisions: (values, signal) =>
    ask('GET', `/api/v1/decisions?${query({ ...values, lang: language() })}`, undefined, signal),
  hold: (id, why, until_s) => ask('POST', `${workload(id)}/hold`, { why, until_s }),
  release: (id) => ask('POST', `${workload(id)}/release`),
  takeOver: (id) => ask('POST', `${workload(id)}/take-over`),
  rollBackWorkload: (id) => ask('POST', `${workload(id)}/rollback`),
  rollBackDecision: (id) => ask('POST', `/api/v1/decisions/${id}/rollback`),
  reading: (text, zone, signal) => ask('GET', `/api/v1/reading?${query({ text, zone })}`, undefined, signal),
  effect: (told, zone, signal) => ask('GET', `/api/v1/reading?${query({ text: told.text, at_s: told.at_s, zone, effect: true })}`, undefined, signal),
  answer: (text, zone) => ask('GET', `/api/v1/answer?${query({ text, zone })}`),
  instruct: (told, zone) => ask('POST', '/api/v1/instructions', { text: told.text, at_s: told.at_s, shown: told.shown, guessed: told.can_ask, zone }),
  instructions: (all, signal) => ask('GET', `/api/v1/instructions?${query({ all, language: language() })}`, undefined, signal),
  signals: (signal) => ask('GET', '/api/v1/signals', undefined, signal),
  revoke: (id) => ask('DELETE', `/api/v1/instructions/${id}`),
  logIn: (token) => ask('POST', '/api/v1/session', { token }),
  logOut: () => ask('DELETE', '/api/v1/session'),
};

/** The same, but nothing where there is nothing (404). */
export async function orNothing(promise) {
  try {
    return await promise;
  } catch (problem) {
    if (problem instanceof Problem && problem.status === 404) return null;
    throw problem;
  }
}

const SILENCE_TICKS = 3;

/** Calls `onTick` at each tick and `onState(connected)` when the stream comes or goes. Comes back by itself. */
export function listen(onTick, onState) {
  let source;
  let watchdog;
  let every_s = 10;
  const open = () => {
    source = new EventSource('/api/v1/events');
    source.addEventListener('tick', (event) => {
      const tick = JSON.parse(event.data);
      onState(true);
      restartWatchdog();
      onTick(tick);
    });
    source.onerror = () => {
      onState(false);
      // The browser comes back by itself unless the answer was an error (401, 503).
      if (source.readyState === EventSource.CLOSED) reopen(5000);
    };
  };
  const reopen = (after_ms) => {
    source.close();
    clearTimeout(watchdog);
    watchdog = setTimeout(open, after_ms);
  };
  const restartWatchdog = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => {
      onState(false);
      reopen(0);
    }, Math.max(15, every_s * SILENCE_TICKS) * 1000);
  };
  open();
  return { expectEvery(seconds) { every_s = seconds; }, reopen: () => reopen(0) };
}
