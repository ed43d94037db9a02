// Words of the page in the chosen language; English where a translation is missing.

import { EN } from './strings-en.js';
import { ZH } from './strings-zh.js';

const KEY = 'apportion.language';
const WORDS = { en: EN, zh: ZH };

function initial() {
  let stored = null;
  try { stored = localStorage.getItem(KEY); } catch { /* private browsing */ }
  if (stored in WORDS) return stored;
  return navigator.language?.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

let current = initial();
document.documentElement.lang = current === 'zh' ? 'zh-Hans' : 'en';

export const language = () => current;
export const locale = () => (current === 'zh' ? 'zh-CN' : 'en-GB');

export function setLanguage(name) {
  current = name;
  document.documentElement.lang = name === 'zh' ? 'zh-Hans' : 'en';
  try { localStorage.setItem(KEY, name); } catch { /* private browsing */ }
  document.dispatchEvent(new Event('language'));
}

/** The words of `key`, with {names} filled in. */
export function t(key, values = {}) {
  const words = WORDS[current][key] ?? EN[key] ?? key;
  return words.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
}

/** The words of `prefix.name`, or the name itself where there are none. */
export function word(prefix, name) {
  const key = `${prefix}.${name}`;
  return WORDS[current][key] ?? EN[key] ?? name;
}
