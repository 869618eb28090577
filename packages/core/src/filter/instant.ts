/** Instants and spans: FHIR's partial dates, offsets, ISO 8601 durations, calendar arithmetic in UTC (spec/filter.md). */

import { Duration } from 'luxon';
import type { FieldFormat } from './formats.ts';

/** A duration. `months` and `days` are calendar units, `ms` the part below a day. */
export type Span = { readonly text: string; readonly months: number; readonly days: number; readonly ms: number };

const DATE = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/;
const DATE_TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:\d{2})$/;
const SPAN = /^P(?=\d|T\d)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?$/;
const MAX_MONTHS = 1200;
const DAY_MS = 86_400_000;

/**
 * Reads an instant in ms since the Unix epoch, or undefined when the text is none.
 *
 * A date, or a partial date where the format allows it, means its first instant in UTC. A `date` field takes no time of day.
 */
export function parseInstant(text: string, format: FieldFormat): number | undefined {
  const date = DATE.exec(text);
  if (date) {
    const [, year, month, day] = date;
    if (format !== 'partial-date' && day === undefined) return undefined;
    return utc(Number(year), Number(month ?? 1), Number(day ?? 1));
  }
  const time = format === 'date' ? null : DATE_TIME.exec(text);
  if (!time) return undefined;
  const [, year, month, day, hour, minute, second = '0', fraction = '0', zone = 'Z'] = time;
  const midnight = utc(Number(year), Number(month), Number(day));
  // 60 is a leap second; it counts as the next minute.
  if (midnight === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
  const offset = offsetMs(zone);
  if (offset === undefined) return undefined;
  const ms = Math.floor(Number(`0.${fraction}`) * 1000);
  return midnight + Number(hour) * 3_600_000 + Number(minute) * 60_000 + Number(second) * 1000 + ms - offset;
}

function utc(year: number, month: number, day: number): number | undefined {
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  const date = new Date(0);
  // Years below 100 must not become 1900 and more.
  date.setUTCFullYear(year, month - 1, day);
  return date.getTime();
}

const daysIn = (year: number, month: number): number => {
  const date = new Date(0);
  date.setUTCFullYear(year, month, 0);
  return date.getUTCDate();
};

function offsetMs(zone: string): number | undefined {
  if (zone === 'Z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4));
  if (hours > 14 || minutes > 59) return undefined;
  return (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/** Reads an ISO 8601 duration: whole units, positive, at most 100 years. */
export function parseSpan(text: string): Span | undefined {
  if (text.length > 64 || !SPAN.test(text)) return undefined;
  const { years, months, weeks, days, hours, minutes, seconds } = Duration.fromISO(text).toObject();
  const span: Span = {
    text,
    months: (years ?? 0) * 12 + (months ?? 0),
    days: (weeks ?? 0) * 7 + (days ?? 0),
    ms: ((hours ?? 0) * 3600 + (minutes ?? 0) * 60 + (seconds ?? 0)) * 1000,
  };
  const approximate = span.months + (span.days * DAY_MS + span.ms) / (30 * DAY_MS);
  return approximate > 0 && approximate <= MAX_MONTHS ? span : undefined;
}

/** Subtracts a span in UTC: months first, the day clamped to the month's end, then days and time. */
export function subtractSpan(atMs: number, span: Span): number {
  const rest = span.days * DAY_MS + span.ms;
  if (span.months === 0) return atMs - rest;
  const date = new Date(atMs);
  const month = date.getUTCFullYear() * 12 + date.getUTCMonth() - span.months;
  const year = Math.floor(month / 12);
  const day = Math.min(date.getUTCDate(), daysIn(year, month - year * 12 + 1));
  const timeOfDay = ((atMs % DAY_MS) + DAY_MS) % DAY_MS;
  return (utc(year, month - year * 12 + 1, day) as number) + timeOfDay - rest;
}

/**
 * Instants after which `subtractSpan(t, span) <= value` may change: every crossing, and every midnight around it, since clamping makes
 * the subtraction step back at the end of a month.
 */
export function crossings(value: number, span: Span): number[] {
  const rest = span.days * DAY_MS + span.ms;
  if (span.months === 0) return [value + rest + 1];
  const estimate = new Date(value + rest);
  estimate.setUTCMonth(estimate.getUTCMonth() + span.months);
  const first = Math.floor(estimate.getTime() / DAY_MS) * DAY_MS - 4 * DAY_MS;
  const found: number[] = [];
  for (let midnight = first; midnight <= first + 8 * DAY_MS; midnight += DAY_MS) {
    found.push(midnight);
    const within = value - subtractSpan(midnight, span) + 1;
    if (within > 0 && within < DAY_MS) found.push(midnight + within);
  }
  return found;
}
