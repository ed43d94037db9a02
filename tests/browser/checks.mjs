// What the page must do, each on a page of its own. A check gets { open, stop, start, keep } and throws when it fails.

const ROWS = 18;
const rows = 'document.querySelectorAll("tbody tr").length';
const text = (selector) => `(document.querySelector(${JSON.stringify(selector)})?.textContent ?? "")`;
const tick = 'Number(document.getElementById("live")?.dataset.tick)';
const fits = 'document.documentElement.scrollWidth <= innerWidth';
const CHECKOUT = `#/workload/${encodeURIComponent('/kubepods/burstable/pod-checkout')}`;
const VIEWS = { workloads: '#/', workload: CHECKOUT, machine: '#/machine', decisions: '#/decisions', tell: '#/tell' };
const drawn = (page) => page.until('document.querySelector(".page") !== null');

/** Share of the pixels of the first chart that something was drawn on. */
const inked = `(() => {
  const canvas = document.querySelector('.chart canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let inked = 0;
  for (let at = 3; at < data.length; at += 4) if (data[at] > 0) inked += 1;
  return inked / (data.length / 4);
})()`;

const equal = (found, expected, what) => {
  if (found !== expected) throw new Error(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`);
};
const holds = (found, what) => equal(Boolean(found), true, what);

async function logIn(page, token) {
  await page.until('document.querySelector("dialog input[name=token]") !== null');
  await page.type('dialog input[name=token]', token);
  await page.click('dialog .button-primary');
}

export const TOKEN = 'demo-token-0123456789';

export const checks = {
  async 'the table draws every workload with its sparklines'({ open, keep }) {
    const page = await open('/');
    await page.until(`${rows} === ${ROWS}`);
    equal(await page.evaluate('document.querySelectorAll("tbody .spark-line").length'), 2 * ROWS, 'sparklines');
    holds(await page.evaluate('[...document.querySelectorAll(".row-link")].some((link) => link.textContent === "<b>not&html</b>")'), 'a name stays a name');
    await keep(page, 'workloads');
  },

  async 'the page follows the ticks by itself'({ open }) {
    const page = await open('/');
    await page.until(`${rows} === ${ROWS}`);
    const [before, values] = [await page.evaluate(tick), await page.evaluate('document.querySelector("tbody").textContent')];
    await page.evaluate('window.sameDocument = true');
    await page.until(`${tick} > ${before}`);
    await page.until(`document.querySelector("tbody").textContent !== ${JSON.stringify(values)}`);
    holds(await page.evaluate('window.sameDocument'), 'without loading anew');
    equal(await page.evaluate(text('#live span')), 'Live', 'state');
  },

  async 'rows are put in order and filtered, by keys too'({ open }) {
    const page = await open('/');
    await page.until(`${rows} === ${ROWS}`);
    await page.click('th.c-name button');
    const names = await page.evaluate('[...document.querySelectorAll(".row-link")].map((link) => link.title)');
    holds(names.every((name, at) => at === 0 || names[at - 1].localeCompare(name) <= 0), `ascending names: ${names}`);
    equal(await page.evaluate('document.querySelector("th.c-name").getAttribute("aria-sort")'), 'ascending', 'aria-sort');
    await page.key('/', '/');
    await page.send('Input.insertText', { text: 'pod-' });
    await page.until(`${rows} === 4`);
    await page.key('ArrowDown');
    await page.key('ArrowDown');
    const name = await page.evaluate('document.activeElement.title');
    holds(name.includes('pod-'), `the second row has the focus: ${name}`);
    await page.key('Enter', '\r');
    await page.until(`location.hash.startsWith("#/workload/") && ${text('h1')} === ${JSON.stringify(name)}`);
  },

  async 'a filter that finds nothing says so and can be cleared'({ open }) {
    const page = await open('/');
    await page.until(`${rows} === ${ROWS}`);
    await page.type('.search-field', 'no such thing');
    await page.until('document.querySelector(".empty .button") !== null');
    await page.click('.empty .button');
    await page.until(`${rows} === ${ROWS}`);
    await page.click('.filter-stale');
    await page.until(`${rows} === 1`);
    await page.click('.filter-stale');
  },

  async 'a workload is drawn with forecast, allotment and reasons'({ open, keep }) {
    const page = await open(`/${CHECKOUT}`);
    await page.until('document.querySelectorAll(".chart canvas").length >= 6');
    for (const range of ['1h', '1d', '7d', '30d', '6h']) {
      await page.click(`[data-range="${range}"]`);
      await page.until(`document.querySelector('[data-range="${range}"]').getAttribute('aria-pressed') === 'true' && ${inked} > 0.02`);
    }
    holds(await page.evaluate('document.querySelectorAll(".why .reason div").length >= 6'), 'reasons');
    holds(await page.evaluate('document.querySelectorAll(".score-chosen").length >= 1'), 'chooser scores');
    holds(await page.evaluate('document.querySelectorAll(".decision .words").length >= 1'), 'decisions in words');
    await keep(page, 'workload');
  },

  async 'what a forecast rests on is shown when it is asked for'({ open, keep }) {
    const page = await open(`/${CHECKOUT}`);
    await page.until('document.querySelectorAll("[data-drivers]").length === 2');
    equal(await page.evaluate('document.querySelectorAll(".drivers-strip").length'), 0, 'nothing asked for yet');
    await page.click('[data-drivers=cpu_cores] summary');
    await page.until('document.querySelectorAll(".drivers-strip li").length === 14', 30_000);
    holds((await page.evaluate(text('.drivers .words'))).includes('Of the past, most rests on'), 'the sentence');
    const shades = await page.evaluate('[...document.querySelectorAll(".drivers-strip li")].map((one) => getComputedStyle(one).backgroundColor)');
    holds(new Set(shades).size > 1, 'stretches are shaded by how much they drive');
    await keep(page, 'drivers');
  },

  async 'a sentence is read as it is typed, taken on a click, and revoked'({ open, keep }) {
    const page = await open('/#/tell');
    await page.until('document.querySelector("#tell") !== null');
    await page.type('#tell', 'limit redis-server to 2 cores');
    await page.until(`${text('#reading')}.includes('redis-server.service')`);
    holds((await page.evaluate(text('#reading'))).includes('at most 2 cores'), 'what it means');
    await page.until(`${text('#reading .effect')}.includes('Played on 1 workload')`, 30_000);
    holds((await page.evaluate(text('#reading .effect'))).includes('changed nothing'), 'what it would have changed on the last days');
    equal(await page.evaluate('document.querySelectorAll(".said [data-id]").length'), 0, 'nothing taken yet');
    await keep(page, 'tell');
    await page.click('.tell .button-primary');
    await logIn(page, TOKEN);
    await page.until('document.querySelectorAll(".said [data-id]").length === 1');
    equal(await page.evaluate('document.querySelector("#tell").value'), '', 'an empty box');
    await page.type('#tell', 'redis-server must have at least 4 cores');
    await page.until('document.querySelector("#reading .form-error") !== null');
    holds(await page.evaluate('document.querySelector(".tell .button-primary").disabled'), 'what conflicts cannot be taken');
    await page.click('.said .button');
    await page.click('dialog .button-danger');
    await page.until('document.querySelectorAll(".said [data-id]").length === 0');
  },

  async 'a question is read as it is typed, answered on a click, and changes nothing'({ open, keep }) {
    const page = await open('/#/tell');
    await page.until('document.querySelector("#tell") !== null');
    await page.type('#tell', 'which services use the most memory?');
    await page.until(`${text('#reading')}.includes('who uses most')`);
    holds((await page.evaluate(text('#reading'))).includes('memory'), 'of what');
    await page.click('.tell .button-primary');
    await page.until('!document.querySelector("#answer").hidden');
    const answer = await page.evaluate(text('#answer'));
    holds(answer.includes('1. ') && answer.includes('Rests on'), answer);
    equal(await page.evaluate('document.querySelectorAll(".said [data-id]").length'), 0, 'nothing taken');
    await keep(page, 'ask');
  },

  async 'what is not played says why, and can be taken all the same'({ open }) {
    const page = await open('/#/tell');
    await page.until('document.querySelector("#tell") !== null');
    await page.type('#tell', 'no workload may use more than 8 cores');
    await page.until(`${text('#reading .effect')}.includes('is not computed')`, 30_000);
    equal(await page.evaluate('document.querySelector(".tell .button-primary").disabled'), false, 'the button can be pressed');
  },

  async 'a hold needs the token, says why, and ends'({ open, keep }) {
    const page = await open(`/#/workload/${encodeURIComponent('redis-server.service')}`);
    await page.until(`${text('.standing .chip')} === 'managed'`);
    await page.click('.actions .button');
    await logIn(page, 'wrong-token-0123456789');
    await page.until(`${text('.form-error')}.includes('the token is not right')`);
    // The browser notes each 401; this one was asked for.
    page.errors.length = 0;
    await page.evaluate('document.querySelector("dialog input").value = ""');
    await logIn(page, TOKEN);
    await page.until('document.querySelector("dialog input[name=why]") !== null');
    await keep(page, 'hold');
    await page.type('dialog input[name=why]', 'a test of the page');
    await page.click('dialog .button-primary');
    await page.until(`${text('.standing .chip')} === 'held' && ${text('.standing')}.includes('a test of the page')`);
    await page.click('.actions .button');
    await page.until(`${text('.standing .chip')} === 'managed'`);
    equal(await page.evaluate('document.querySelector("[data-key=lock]").getAttribute("aria-pressed")'), 'true', 'unlocked');
    await page.click('[data-key=lock]');
    await page.until('document.querySelector("[data-key=lock]").getAttribute("aria-pressed") === "false"');
  },

  async 'decisions open, are filtered, and older ones follow'({ open, keep }) {
    const page = await open('/#/decisions');
    await page.until('document.querySelectorAll(".decision").length >= 50');
    await page.click('.decision summary');
    holds(await page.evaluate('document.querySelector(".decision details[open] .reason div") !== null'), 'numbers of a decision');
    await keep(page, 'decisions');
    await page.click('.after .button');
    await page.until('document.querySelectorAll(".decision").length > 50');
    const ids = await page.evaluate('[...document.querySelectorAll(".decision")].map((one) => Number(one.dataset.id))');
    holds(ids.every((id, at) => at === 0 || ids[at - 1] > id), 'newest first, none twice');
    await page.evaluate('document.querySelectorAll(".filter")[1].click()');
    holds(await page.evaluate('document.querySelectorAll(".decision .verdict-refused").length') < ids.length, 'filtered');
  },

  async 'the machine shows what there is and what could not be read'({ open, keep }) {
    const page = await open('/#/machine');
    await page.until('document.querySelectorAll(".resource").length === 4 && document.querySelectorAll(".chart canvas").length >= 6');
    holds(await page.evaluate(`${text('.unread')}.includes('memory.stat')`), 'the unreadable file is named');
    await keep(page, 'machine');
  },

  async 'light, dark and both languages last'({ open, keep }) {
    const page = await open('/', { dark: true });
    await page.until(`${rows} === ${ROWS}`);
    equal(await page.evaluate('document.documentElement.dataset.theme'), 'dark', 'as the system says');
    await page.click('[data-key=language]');
    await page.until(`${text('nav a')} === '工作负载'`);
    equal(await page.evaluate('document.documentElement.lang'), 'zh-Hans', 'language of the document');
    await page.until(`${text('.cell h3')} === 'CPU' && ${text('.summary')}.includes('可归还')`);
    await keep(page, 'chinese-dark');
    await page.click('[data-key=theme]');
    await page.send('Page.reload');
    await page.until(`document.documentElement.dataset.theme === 'light' && ${text('nav a')} === '工作负载'`);
    await page.evaluate('location.hash = "#/decisions"');
    await page.until(`${text('.decision .words')}.match(/[\\u4e00-\\u9fff]/) !== null`);
    await page.click('[data-key=language]');
    await page.until(`${text('nav a')} === 'Workloads'`);
  },

  async 'every view fits a phone of 360 pixels'({ open, keep }) {
    for (const [name, hash] of Object.entries(VIEWS)) {
      const page = await open(`/${hash}`, { width: 360, height: 780, mobile: true });
      await drawn(page);
      await page.until(fits);
      const out = await page.evaluate('[...document.querySelectorAll("main *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".filters, .workloads thead, .row-link, .top a, svg")).map((one) => one.className).slice(0, 3).join()');
      equal(out, '', `${name}: reaches out of the screen`);
      await keep(page, `phone-${name}`);
    }
  },

  async 'a lost connection is said and mended'({ open, stop, start, keep }) {
    const page = await open('/');
    await page.until(`${rows} === ${ROWS}`);
    await page.until(`${tick} > 10`, 30_000);
    const last = await page.evaluate(tick);
    await stop();
    await page.until('!document.getElementById("banner").hidden');
    holds(await page.evaluate(`${text('#banner')}.includes('Connection lost')`), 'the banner');
    equal(await page.evaluate(rows), ROWS, 'what was known stays');
    await keep(page, 'disconnected');
    await start();
    await page.until('document.getElementById("banner").hidden', 30_000);
    await page.until(`${tick} < ${last}`);
    const now = await page.evaluate(tick);
    await page.until(`${tick} > ${now}`);
    page.errors = page.errors.filter((error) => !error.includes('ERR_'));
  },

  async 'nothing there yet is explained'({ open, keep }) {
    const page = await open('about:blank');
    await page.intercept('/api/v1/workloads', 200, { tick: 0, now_s: 0, workloads: [] });
    await page.go('/');
    await page.until(`${text('.empty h2')} === 'No workloads yet'`);
    await keep(page, 'empty');
  },

  async 'an error says what, where and what to do'({ open, keep }) {
    const page = await open('about:blank');
    await page.intercept('/api/v1/machine', 500, { what: 'the store is locked', where: '/var/lib/apportion.db', remedy: 'stop the other one' });
    await page.go('/#/machine');
    await page.until(`['the store is locked', '/var/lib/apportion.db', 'stop the other one', 'Try again'].every((part) => document.querySelector('[role=alert]')?.textContent.includes(part))`);
    await keep(page, 'error');
    page.errors.length = 0;
  },

  async 'every control has a name and the page its landmarks'({ open }) {
    for (const hash of Object.values(VIEWS)) {
      const page = await open(`/${hash}`);
      await drawn(page);
      const unnamed = await page.evaluate('[...document.querySelectorAll("button, a, input, select")].filter((one) => !(one.textContent.trim() || one.ariaLabel || one.labels?.length)).map((one) => one.outerHTML.slice(0, 80)).join()');
      equal(unnamed, '', `${hash}: without a name`);
      holds(await page.evaluate('document.querySelector("header nav[aria-label]") && document.querySelector("main")'), 'landmarks');
    }
  },

  async 'the API is written out from its own document'({ open, keep }) {
    const page = await open('/api');
    await page.until('document.querySelectorAll(".operation").length >= 20');
    equal(await page.evaluate('[...document.querySelectorAll("a[href^=\\"#schema-\\"]")].filter((link) => !document.getElementById(link.hash.slice(1))).map((link) => link.hash).join()'), '', 'links to nowhere');
    await keep(page, 'api');
  },
};
