// Headless Chromium over the DevTools protocol on a pipe: no package to install.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--remote-debugging-pipe', '--hide-scrollbars'];
const ANSWER_MS = 30_000;

export class Browser {
  #process;
  #folder = mkdtempSync(join(tmpdir(), 'apportion-browser-'));
  #next = 1;
  #asked = new Map();
  #rest = '';
  listeners = new Set();

  constructor(program) {
    this.#process = spawn(program, [...FLAGS, `--user-data-dir=${this.#folder}`], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    this.#process.stdio[4].setEncoding('utf8').on('data', (text) => this.#take(text));
    this.#process.stdio[3].on('error', () => {});
    this.#process.once('exit', () => this.#asked.forEach(({ reject }) => reject(new Error('the browser has ended'))));
  }

  #take(text) {
    const parts = (this.#rest + text).split('\0');
    this.#rest = parts.pop();
    for (const part of parts) {
      const message = JSON.parse(part);
      const asked = this.#asked.get(message.id);
      if (!asked) this.listeners.forEach((listener) => listener(message));
      else if (message.error) asked.reject(new Error(`${asked.method}: ${message.error.message}`));
      else asked.resolve(message.result);
      this.#asked.delete(message.id);
    }
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${method}: no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
      const done = (settle) => (value) => { clearTimeout(late); settle(value); };
      this.#asked.set(id, { method, resolve: done(resolve), reject: done(reject) });
      this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  /** A new page of this size; collects every error that it reports. */
  async page(width, height, { dark = false, mobile = false } = {}) {
    const { browserContextId } = await this.send('Target.createBrowserContext');
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, sessionId, browserContextId);
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await page.send(`${domain}.enable`);
    await page.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: mobile ? 2 : 1, mobile });
    await page.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] });
    return page;
  }

  async close() {
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    await Promise.race([this.send('Browser.close').catch(() => {}), new Promise((resolve) => setTimeout(resolve, 3000))]);
    this.#process.kill('SIGKILL');
    await gone;
    try {
      rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    } catch {
      // A process of the browser may still write there; the folder is a temporary one.
    }
  }
}

export class Page {
  errors = [];

  constructor(browser, session, context) {
    this.browser = browser;
    this.session = session;
    this.context = context;
    browser.listeners.add((message) => message.sessionId === session && this.#note(message));
  }

  #note({ method, params }) {
    if (method === 'Runtime.exceptionThrown') this.errors.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === 'Runtime.consoleAPICalled' && ['error', 'assert', 'warning'].includes(params.type)) this.errors.push(`console: ${params.args.map((arg) => arg.value ?? arg.description).join(' ')}`);
    if (method === 'Log.entryAdded' && params.entry.level === 'error') this.errors.push(`${params.entry.text} ${params.entry.url ?? ''}`);
  }

  send(method, params) {
    return this.browser.send(method, params, this.session);
  }

  /** Closes the page: every open one draws, and keeps a connection, for as long as the browser runs. */
  close() {
    return this.browser.send('Target.disposeBrowserContext', { browserContextId: this.context });
  }

  async open(url) {
    const { errorText } = await this.send('Page.navigate', { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
  }

  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  /** Waits until the expression is true; says what it was when it never was. */
  async until(expression, within_ms = 30_000) {
    const end = Date.now() + within_ms;
    let last;
    while (Date.now() < end) {
      last = await this.evaluate(expression).catch((error) => error.message);
      if (last === true) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`not within ${within_ms} ms: ${expression} (last: ${JSON.stringify(last)})`);
  }

  async key(key, text) {
    const params = { key, code: key, text, windowsVirtualKeyCode: { Enter: 13, ArrowDown: 40, ArrowUp: 38 }[key] };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...params });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...params, text: undefined });
  }

  /** Answers requests to addresses that end so with this status and body instead of the server. */
  async intercept(ending, status, body) {
    this.browser.listeners.add((message) => {
      if (message.sessionId !== this.session || message.method !== 'Fetch.requestPaused') return;
      const { requestId } = message.params;
      const responseHeaders = [{ name: 'Content-Type', value: 'application/json' }];
      this.send('Fetch.fulfillRequest', { requestId, responseCode: status, responseHeaders, body: Buffer.from(JSON.stringify(body)).toString('base64') }).catch(() => {});
    });
    await this.send('Fetch.enable', { patterns: [{ urlPattern: `*${ending}` }] });
  }

  async click(selector) {
    await this.until(`document.querySelector(${JSON.stringify(selector)}) !== null`);
    await this.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
  }

  async type(selector, text) {
    await this.evaluate(`document.querySelector(${JSON.stringify(selector)}).focus()`);
    await this.send('Input.insertText', { text });
  }

  async screenshot({ full = false } = {}) {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: full });
    return Buffer.from(data, 'base64');
  }
}
