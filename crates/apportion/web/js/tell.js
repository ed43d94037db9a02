// Telling and asking in one box: what a sentence was understood as, while it is typed; a question is answered, an instruction is
// taken once confirmed; and what was taken before.

import { api } from './api.js';
import { h, replace } from './dom.js';
import { amount, fullTime } from './format.js';
import { t, word } from './i18n.js';
import { ask, withToken } from './session.js';

/** A pause in typing after which the sentence is read, and one after which its effect is computed. */
const PAUSE_MS = 250;
const EFFECT_PAUSE_MS = 600;

/** The box, the reading beside it, and the list. */
export function tellView(app) {
  const box = h('textarea', { id: 'tell', rows: 3, maxlength: 600, placeholder: t('tell.placeholder'), 'aria-describedby': 'reading', oninput: typed });
  const go = h('button', { class: 'button button-primary', disabled: true }, t('tell.go'));
  const reading = h('div', { id: 'reading', class: 'reading', role: 'status', 'aria-live': 'polite' });
  const answer = h('div', { id: 'answer', class: 'reading answer', role: 'status', 'aria-live': 'polite', hidden: true });
  const list = h('ol', { class: 'decisions said' });
  const hints = h('ol', { class: 'decisions signals' });
  const past = h('input', { type: 'checkbox', onchange: () => app.refresh({ force: true }) });
  const element = h('div', { class: 'page' },
    h('div', { class: 'toolbar' }, h('h1', {}, t('tell.title'))),
    h('div', { class: 'tell' },
      h('form', { onsubmit: (event) => { event.preventDefault(); told?.question ? answerIt() : confirm(); } }, h('label', { for: 'tell' }, t('tell.label')), box, h('div', { class: 'form-end' }, go)),
      reading),
    answer,
    h('div', { class: 'toolbar' }, h('h2', {}, t('said.title')), h('label', { class: 'muted' }, past, ' ', t('said.past'))), list,
    h('div', { class: 'toolbar' }, h('h2', {}, t('signals.title'))), hints);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  let told = null;
  let waiting = null;
  let asking = null;

  function typed() {
    clearTimeout(waiting);
    asking?.abort();
    told = null;
    go.disabled = true;
    if (!box.value.trim()) replace(reading, h('p', { class: 'muted' }, t('tell.help')));
    else waiting = setTimeout(read, PAUSE_MS);
  }

  async function read() {
    asking?.abort();
    const mine = asking = new AbortController();
    try {
      const answer = await api.reading(box.value, zone, mine.signal);
      if (mine.signal.aborted) return;
      told = answer;
      replace(reading, shown(told));
      go.textContent = t(told.question ? 'ask.go' : told.can_ask ? 'tell.guess' : 'tell.go');
      allow();
      if (told.can_confirm || told.can_ask) waiting = setTimeout(() => play(told, mine.signal), EFFECT_PAUSE_MS);
    } catch (problem) {
      if (!mine.signal.aborted) replace(reading, h('p', { class: 'form-error', role: 'alert' }, problem.message));
    }
  }

  /** What it would have done on the last days, below what it means; it can be taken meanwhile. */
  async function play(sentence, signal) {
    const place = h('p', { class: 'effect muted' }, t('tell.effect'));
    reading.append(place);
    try {
      const { effect } = await api.effect(sentence, zone, signal);
      if (effect) replace(place, effect);
      else place.remove();
    } catch (problem) {
      if (!signal.aborted) replace(place, problem.message);
    }
  }

  function allow() {
    go.disabled = !told || (!told.question && (!(told.can_confirm || told.can_ask) || !app.status?.writable));
  }

  async function answerIt() {
    go.disabled = true;
    try {
      replace(answer, answered(await api.answer(told.text, zone)));
    } catch (problem) {
      replace(answer, h('p', { class: 'form-error', role: 'alert' }, problem.message));
    }
    answer.hidden = false;
    allow();
  }

  async function confirm() {
    const sentence = told;
    if (!sentence?.can_confirm && !sentence?.can_ask) return;
    await withToken(app, async () => {
      const answer = await api.instruct(sentence, zone);
      box.value = '';
      typed();
      return answer;
    });
  }

  replace(reading, h('p', { class: 'muted' }, t('tell.help')));
  return {
    element,
    title: t('nav.tell'),
    async update(signal) {
      const [all, signals] = await Promise.all([api.instructions(past.checked, signal), api.signals(signal)]);
      replace(list, all.length ? all.map((one) => saidItem(app, one)) : h('li', { class: 'empty' }, t('said.none')));
      replace(hints, signals.length ? signals.map(signalItem) : h('li', { class: 'empty' }, t('signals.none')));
    },
    destroy() {
      clearTimeout(waiting);
      asking?.abort();
    },
  };
}

function shown(told) {
  if (told.question) return asked(told.question);
  return [
    h('p', { class: 'reading-words' }, h('span', { class: `chip said-${told.kind}` }, word('said.kind', told.kind)), ' ', told.words),
    told.workloads.length > 0 && h('p', {}, t('tell.for', { count: told.workloads.length }), ' ', told.workloads.map((name) => [h('code', {}, name), ' '])),
    told.notes.map((note) => h('p', { class: note.blocks ? 'form-error' : 'muted', role: note.blocks && 'alert' }, note.words)),
  ];
}

/** A question as it is understood: what is asked, of whom, of what, when. */
function asked(question) {
  const size = question.size && ('part' in question.size ? `× ${Number(question.size.part.toFixed(3))}` : amount(question.size.amount, SIZES[question.resource]));
  const when = question.when && `${fullTime(question.when.from / 1000)} – ${fullTime(question.when.to / 1000)}`;
  const rest = [question.resource && word('ask.resource', question.resource), size, when, question.decision !== null && t('decisions.number', { id: question.decision })];
  return h('p', { class: 'reading-words' },
    h('span', { class: 'chip said-question' }, t('said.kind.question')), ' ', h('b', {}, word('ask.about', question.about)), ' ',
    question.workloads.map((name) => [h('code', {}, name), ' ']), rest.filter(Boolean).map((words) => [h('span', { class: 'chip' }, words), ' ']));
}

const SIZES = { cpu: 'cores', memory: 'bytes', storage: 'bytes_per_s', network: 'bytes_per_s' };

function answered(found) {
  return [
    found.words.split('\n').map((line) => h('p', {}, line)),
    found.cited.length > 0 && h('p', { class: 'faint' }, t('ask.rests'), ' ', found.cited.join('; ')),
  ];
}

function saidItem(app, one) {
  const stands = one.state === 'standing' || one.state === 'to_come';
  return h('li', { class: 'decision', 'data-id': one.id },
    h('span', { class: 'num faint' }, one.id),
    h('div', { class: 'decision-body' },
      h('div', { class: 'decision-head' },
        h('span', { class: `chip said-${one.kind}` }, word('said.kind', one.kind)), one.words,
        h('span', { class: 'chip' }, word('said.state', one.state)),
        stands && app.status?.writable && h('button', { class: 'button button-small', onclick: () => revoke(app, one) }, t('said.revoke'))),
      one.text !== one.words && h('p', { class: 'words muted' }, one.text)));
}

/** A hint from an alert or a log line; its text is data. */
function signalItem(one) {
  return h('li', { class: 'decision' },
    h('div', { class: 'decision-body' },
      h('div', { class: 'decision-head' },
        h('code', {}, one.workload), ' ', one.resource && h('span', { class: 'chip' }, word('ask.resource', one.resource)),
        t('signals.text', { factor: one.factor.toFixed(2), until: fullTime(one.until_s) })),
      h('p', { class: 'words muted' }, one.text)));
}

function revoke(app, one) {
  return withToken(app, () => ask({
    title: t('said.revoke.title', { id: one.id }), text: one.words, go: t('said.revoke'), danger: true,
    submit: () => api.revoke(one.id),
  }));
}
