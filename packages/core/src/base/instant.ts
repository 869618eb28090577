/** Instants as text: FHIR's partial dates, offsets, leap seconds (spec/filter.md). */

/** Formats whose texts are instants. */
export type FieldFormat = 'date' | 'date-time' | 'partial-date';

const DATE = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/;
const DATE_TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:\d{2})$/;

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

/** The first instant of a day in ms, or undefined when there is no such day. */
export function utc(year: number, month: number, day: number): number | undefined {
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  const date = new Date(0);
  // Years below 100 must not become 1900 and more.
  date.setUTCFullYear(year, month - 1, day);
  return date.getTime();
}

/** The days of a month, counted from 1. */
export const daysIn = (year: number, month: number): number => {
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
