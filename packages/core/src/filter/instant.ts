/** Spans: ISO 8601 durations and calendar arithmetic in UTC (spec/filter.md). */

import { Duration } from 'luxon';
import { daysIn, utc } from '../base/instant.ts';
export { parseInstant } from '../base/instant.ts';

/** A duration. `months` and `days` are calendar units, `ms` the part below a day. */
export type Span = { readonly text: string; readonly months: number; readonly days: number; readonly ms: number };

const SPAN = /^P(?=\d|T\d)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?$/;
const MAX_MONTHS = 1200;
const DAY_MS = 86_400_000;

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
