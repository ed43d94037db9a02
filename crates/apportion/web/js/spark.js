// Two small drawings for table rows: the last hour as a line, and used / forecast / allotted / set on one bar.

import { svg } from './dom.js';

const WIDTH = 88;
const HEIGHT = 24;

/** Line through the points that are there, from zero. */
export function spark(points) {
  const present = points.filter((value) => value !== null);
  const chart = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'spark', 'aria-hidden': 'true' });
  if (present.length < 2) return chart;
  const top = Math.max(...present) || 1;
  const x = (index) => (index / (points.length - 1)) * WIDTH;
  const y = (value) => HEIGHT - 1.5 - (value / top) * (HEIGHT - 4);
  let line = '';
  let area = '';
  let begun = null;
  points.forEach((value, index) => {
    if (value === null) {
      if (begun !== null) area += `L${x(index - 1).toFixed(1)} ${HEIGHT}L${begun} ${HEIGHT}Z`;
      begun = null;
      return;
    }
    const place = `${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    line += (begun === null ? 'M' : 'L') + place;
    area += (begun === null ? 'M' : 'L') + place;
    begun ??= x(index).toFixed(1);
  });
  if (begun !== null) area += `L${WIDTH} ${HEIGHT}L${begun} ${HEIGHT}Z`;
  chart.append(svg('path', { d: area, class: 'spark-area' }), svg('path', { d: line, class: 'spark-line' }));
  return chart;
}

const BAR = 96;

/** A bar from zero: used (filled), forecast peak 90 % (pale), allotted (green mark), set (outline). */
export function bullet({ used, peak, allotted, set }) {
  const known = [used, peak, allotted, set].filter(Number.isFinite);
  const chart = svg('svg', { viewBox: `0 0 ${BAR} 10`, class: 'bullet', 'aria-hidden': 'true', preserveAspectRatio: 'none' });
  if (!known.length) return chart;
  const top = Math.max(...known) * 1.02 || 1;
  const x = (value) => Math.max(0, Math.min(BAR, (value / top) * BAR));
  chart.append(svg('rect', { class: 'bullet-track', x: 0, y: 2, width: Number.isFinite(set) ? x(set) : BAR, height: 6, rx: 1.5 }));
  if (Number.isFinite(peak)) chart.append(svg('rect', { class: 'bullet-peak', x: 0, y: 2, width: x(peak), height: 6, rx: 1.5 }));
  if (Number.isFinite(used)) chart.append(svg('rect', { class: 'bullet-used', x: 0, y: 3.5, width: x(used), height: 3, rx: 1 }));
  if (Number.isFinite(set)) chart.append(svg('rect', { class: 'bullet-set', x: Math.max(0, x(set) - 1.5), y: 0.5, width: 1.5, height: 9 }));
  if (Number.isFinite(allotted)) chart.append(svg('rect', { class: 'bullet-allotted', x: Math.max(0, x(allotted) - 2), y: 0, width: 2, height: 10 }));
  return chart;
}
