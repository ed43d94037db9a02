// The token dialog, the other questions, and short notes at the edge.

import { api, Problem } from './api.js';
import { h, replace } from './dom.js';
import { t } from './i18n.js';

/** A note that goes away by itself. */
export function toast(text, kind = 'info') {
  const note = h('div', { class: `toast toast-${kind}` }, text);
  document.getElementById('toasts').append(note);
  setTimeout(() => note.remove(), kind === 'error' ? 9000 : 4000);
}

/** Shows a form in a dialog; resolves to what `submit` gave, or null when it was cancelled. */
export function ask({ title, text, fields = [], go, danger, submit, cancellable = true }) {
  return new Promise((resolve) => {
    const error = h('p', { class: 'form-error', role: 'alert', hidden: true });
    const cancel = h('button', { type: 'button', class: 'button', onclick: () => dialog.close() }, t('login.cancel'));
    const form = h('form', { method: 'dialog' },
      h('h2', {}, title), text && h('p', { class: 'muted' }, text), fields, error,
      h('div', { class: 'form-end' }, cancellable && cancel,
        h('button', { class: `button ${danger ? 'button-danger' : 'button-primary'}` }, go)));
    const dialog = h('dialog', { 'aria-label': title }, form);
    let result = null;
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      try {
        result = await submit(new FormData(form)) ?? true;
        dialog.close();
      } catch (problem) {
        replace(error, problemText(problem)).hidden = false;
      }
    });
    if (!cancellable) dialog.addEventListener('cancel', (event) => event.preventDefault());
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** What was wrong and what to do, in one line. */
export function problemText(problem) {
  if (!(problem instanceof Problem)) return String(problem.message ?? problem);
  return [problem.message, problem.remedy].filter(Boolean).join(': ');
}

let asking = null;

/** Asks for the token; one dialog at a time. Resolves to true when it was right. */
export function logIn({ reading = false } = {}) {
  asking ??= ask({
    title: t('login.title'),
    text: reading ? t('login.read') : t('login.text'),
    fields: [h('label', {}, t('login.field'),
      h('input', { name: 'token', type: 'password', autocomplete: 'current-password', required: true, autofocus: true }))],
    go: t('login.go'),
    cancellable: !reading,
    submit: async (values) => {
      await api.logIn(values.get('token'));
      toast(t('login.in'));
    },
  }).finally(() => { asking = null; });
  return asking;
}

/** Does something that needs the token, asking for it first where it is missing; says what came of it. */
export async function withToken(app, action) {
  if (!app.status?.logged_in && !(await logIn())) return;
  try {
    const answer = await action();
    if (answer?.done) toast(answer.done);
  } catch (problem) {
    if (problem.status === 401 && await logIn()) return withToken({ status: { logged_in: true } }, action);
    toast(t('act.failed', { what: problemText(problem) }), 'error');
  }
  app.refresh?.({ force: true });
}
