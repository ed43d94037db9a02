// Numbers and times for people. Amounts come in base units; the unit's name decides how they are written.

import { locale, t } from './i18n.js';

/** Memory counts in powers of 1024, rates in powers of 1000, as the reasons in words do. */
const BYTES = { base: 1024, names: ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] };
const RATE = { base: 1000, names: ['B/s', 'kB/s', 'MB/s', 'GB/s', 'TB/s', 'PB/s'] };
const NONE = '–';

/** Three significant digits at most, no trailing noise. */
function digits(value) {
  const size = Math.abs(value);
  if (Number.isInteger(value)) return String(value);
  if (size < 0.00005) return '0';
  if (size < 0.0095) return String(Number(value.toFixed(4)));
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.095 ? 2 : 3);
}

function scaledTo({ base, names }, value) {
  let power = 0;
  let scaled = Math.abs(value);
  while (scaled >= 999.5 && power < names.length - 1) {
    scaled /= base;
    power += 1;
  }
  const places = Number.isInteger(scaled) || scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2;
  return `${value < 0 ? '−' : ''}${scaled.toFixed(places)} ${names[power]}`;
}

/** The number with its unit. */
export function amount(value, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  switch (unit) {
    case 'cores': return `${digits(value)} ${t('unit.cores')}`;
    case 'bytes': return scaledTo(BYTES, value);
    case 'bytes_per_s': return scaledTo(RATE, value);
    case 'per_s': return `${digits(value)}/s`;
    case 'share': return share(value);
    case 's': return duration(value);
    default: return digits(value);
  }
}

/** As `amount`, but cores without their unit: for columns and axes that say it once. */
export function short(value, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  return unit === 'cores' ? digits(value) : amount(value, unit);
}

export function setting(value, unit) {
  if (value === 'unlimited') return t('unlimited');
  return short(value, unit);
}

export function share(value) {
  if (!Number.isFinite(value)) return NONE;
  const percent = value * 100;
  return `${Number(percent.toFixed(percent < 10 ? 2 : 1))} %`;
}

const unit = (value, name) => `${value} ${t(`time.${name}`)}`;

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return NONE;
  if (Number.isInteger(seconds) && seconds < 90) return unit(seconds, 's');
  if (seconds < 0.0995) return unit((seconds * 1000).toFixed(seconds < 0.00995 ? 1 : 0), 'ms');
  if (seconds < 10) return unit(seconds.toFixed(1), 's');
  if (seconds < 90) return unit(Math.round(seconds), 's');
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return unit(minutes, 'min');
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${unit(hours, 'h')} ${unit(minutes % 60, 'min')}` : unit(hours, 'h');
  return unit(Math.round(hours / 24), 'd');
}

const formats = new Map();
function format(options) {
  const key = locale() + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(locale(), options));
  return formats.get(key);
}

const HOUR = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };

/** Hour and minute; with the day where it is another one than `now_s`. */
export function moment(time_s, now_s) {
  const same = format({ dateStyle: 'short' }).format(time_s * 1000) === format({ dateStyle: 'short' }).format(now_s * 1000);
  return format(same ? HOUR : { weekday: 'short', ...HOUR }).format(time_s * 1000);
}

export function fullTime(time_s) {
  return format({ month: 'short', day: 'numeric', ...HOUR, second: '2-digit' }).format(time_s * 1000);
}

export function clock(time_s) {
  return format({ ...HOUR, second: '2-digit' }).format(time_s * 1000);
}

/** Start of a UTC day. */
export function utcDay(time_s) {
  return format({ weekday: 'long', month: 'short', day: 'numeric', timeZone: 'UTC' }).format(time_s * 1000);
}

/** Ticks of a time axis: hours within a day, days where midnight falls. */
export function axisTimes(times_s, step_s) {
  return times_s.map((time_s) => {
    const date = new Date(time_s * 1000);
    const midnight = date.getHours() === 0 && date.getMinutes() === 0;
    if (step_s >= 86400 || midnight) return format({ month: 'short', day: 'numeric' }).format(date);
    return format(HOUR).format(date);
  });
}

/** "4 s ago" */
export function ago(seconds) {
  return t('ago', { time: duration(Math.max(0, seconds)) });
}
