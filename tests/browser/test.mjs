// Runs the checks against the page with an invented machine, then looks at the page of the real program.
// node test.mjs CHROMIUM WEB_DEMO APPORTION ARTEFACTS

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Browser } from './browser.mjs';
import { checks } from './checks.mjs';

const [chromium, demo, apportion, artefacts] = process.argv.slice(2);
mkdirSync(artefacts, { recursive: true });

/** Starts a server; resolves to where it is once it says so. */
function serve(program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const url = new Promise((resolve, reject) => {
    let said = '';
    const hear = (text) => {
      said += text;
      const found = said.match(/http:\/\/127\.0\.0\.1:\d+/);
      if (found) resolve(found[0]);
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code} before it served: ${said}`)));
    setTimeout(() => reject(new Error(`${program} does not say where it serves: ${said}`)), 30_000).unref();
  });
  const end = () => new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', resolve);
    child.kill('SIGINT');
    setTimeout(() => child.kill('SIGKILL'), 8_000).unref();
  });
  return { url, end };
}

const failures = [];
let passed = 0;

async function check(name, run) {
  try {
    await run();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    failures.push(name);
    console.log(`FAIL  ${name}\n      ${error.message}`);
  }
}

/** A page on `base`; a path without a scheme is taken below it. */
async function open(browser, base, path, { width = 1440, height = 900, ...more } = {}) {
  const page = await browser.page(width, height, more);
  page.go = (to) => page.open(to.includes(':') ? to : base + to);
  await page.go(path);
  return page;
}

const browser = new Browser(chromium);
try {
  let server = serve(demo, ['0']);
  const base = await server.url;
  for (const [name, run] of Object.entries(checks)) {
    await check(name, async () => {
      const pages = [];
      try {
        await run({
          open: async (path, options) => {
            pages.push(await open(browser, base, path, options));
            return pages.at(-1);
          },
          stop: () => server.end(),
          start: () => {
            server = serve(demo, [base.split(':').at(-1)]);
            return server.url;
          },
          keep: async (page, file) => writeFileSync(join(artefacts, `${file}.png`), await page.screenshot()),
        });
        const errors = pages.flatMap((page) => page.errors);
        if (errors.length) throw new Error(`the console says: ${errors.join('; ')}`);
      } finally {
        await Promise.all(pages.map((page) => page.close()));
      }
    });
  }
  await server.end();

  await check('the program itself serves the page of this machine, soon after its start', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'apportion-page-'));
    const began = performance.now();
    const own = serve(apportion, ['run', '--listen', '127.0.0.1:0', '--store', join(folder, 'apportion.db')]);
    try {
      const url = await own.url;
      await (await fetch(url)).text();
      console.log(`      start to first answer: ${Math.round(performance.now() - began)} ms`);
      const page = await open(browser, url, '/');
      await page.until('document.querySelector(".page") !== null');
      console.log(`      start to first page drawn: ${Math.round(performance.now() - began)} ms`);
      await page.until('document.querySelectorAll("tbody tr").length > 0', 40_000);
      writeFileSync(join(artefacts, 'this-machine.png'), await page.screenshot());
      if (page.errors.length) throw new Error(`the console says: ${page.errors.join('; ')}`);
    } finally {
      await own.end();
      rmSync(folder, { recursive: true, force: true });
    }
  });
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${failures.length} failed; screenshots in ${artefacts}`);
process.exitCode = failures.length ? 1 : 0;
