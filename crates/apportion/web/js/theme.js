// Runs before the first paint: light, dark, or as the system says. Also asked by the charts for colours.
'use strict';
(() => {
  const KEY = 'apportion.theme';
  const root = document.documentElement;
  const system = matchMedia('(prefers-color-scheme: dark)');
  let stored = null;
  try { stored = localStorage.getItem(KEY); } catch { /* private browsing: the choice lasts as long as the page */ }

  const apply = () => {
    root.dataset.theme = stored ?? (system.matches ? 'dark' : 'light');
    document.dispatchEvent(new Event('theme'));
  };
  system.addEventListener('change', apply);
  window.theme = {
    get current() { return root.dataset.theme; },
    toggle() {
      stored = root.dataset.theme === 'dark' ? 'light' : 'dark';
      try { localStorage.setItem(KEY, stored); } catch { /* as above */ }
      apply();
    },
    color: (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim(),
  };
  apply();
})();
