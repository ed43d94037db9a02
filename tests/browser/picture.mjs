// Takes the picture of the README from the real program: its demonstration, after some minutes.
// node tests/browser/picture.mjs CHROMIUM APPORTION OUT.png [SECONDS]

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Browser } from './browser.mjs';

const [chromium, apportion, out, seconds = '170'] = process.argv.slice(2);
const ADDRESS = '127.0.0.1:7171';

const folder = mkdtempSync(join(tmpdir(), 'apportion-picture-'));
const args = ['demo', '--seconds', `${Number(seconds) + 20}`, '--listen', ADDRESS, '--store', join(folder, 'apportion.db')];
const demo = spawn(apportion, args, { stdio: 'ignore' });
const gone = new Promise((resolve) => demo.once('exit', resolve));
const browser = new Browser(chromium);
try {
  await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000));
  const page = await browser.page(1440, 500);
  await page.open(`http://${ADDRESS}/`);
  await page.until('document.querySelectorAll("tbody tr").length > 2');
  await new Promise((resolve) => setTimeout(resolve, 5000)); // some ticks, for what is drawn live
  writeFileSync(out, await page.screenshot());
} finally {
  await browser.close();
  demo.kill('SIGINT');
  await gone;
  rmSync(folder, { recursive: true, force: true });
}
