/**
 * The formats that are checked: calendar days, instants, and FHIR's partial dates. Both kinds of validator use these functions, and what
 * they accept the filter language reads as an instant (spec/schema.md SCH-7). Must not import anything: it is bundled into generated code.
 */

const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;
const MONTH = /^\d{4}(?:-(?:0[1-9]|1[0-2]))?$/;
const DATE_TIME =
  /^(\d{4}-\d{2}-\d{2})T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,9})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)$/;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function isDate(text: string): boolean {
  const parts = DAY.exec(text);
  if (!parts) return false;
  const [year, month, day] = parts.slice(1).map(Number) as [number, number, number];
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 && isLeap ? 29 : (DAYS[month - 1] ?? 0);
  return day >= 1 && day <= days;
}

function isDateTime(text: string): boolean {
  const day = DATE_TIME.exec(text)?.[1];
  return day !== undefined && isDate(day);
}

const isPartialDate = (text: string): boolean => MONTH.test(text) || isDate(text) || isDateTime(text);

/** Tells by name whether a text has a format. Every other format in a schema is a remark. */
export const schemaFormats = {
  date: isDate,
  'date-time': isDateTime,
  'partial-date': isPartialDate,
} as const satisfies { readonly [name: string]: (text: string) => boolean };
