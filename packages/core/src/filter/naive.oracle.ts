/** A deliberately naive reading of filters, written apart from the parser and the matcher, to check them against. */

import { DateTime, Duration } from 'luxon';
import type { JsonObject, JsonValue } from '../base/json.ts';

type Formats = ReadonlyMap<string, string>;

export function naiveMatches(
  filter: JsonObject,
  record: JsonValue,
  formats: Formats,
  nowMs: number,
  prefix = '',
): boolean {
  for (const key of Object.keys(filter)) {
    const want = filter[key] as JsonValue;
    let ok: boolean;
    if (key === '$and') ok = (want as JsonObject[]).every((f) => naiveMatches(f, record, formats, nowMs, prefix));
    else if (key === '$or') ok = (want as JsonObject[]).some((f) => naiveMatches(f, record, formats, nowMs, prefix));
    else if (key === '$not') ok = !naiveMatches(want as JsonObject, record, formats, nowMs, prefix);
    else
      ok = naiveField(
        values(record, key.split('.')),
        want,
        formats.get(prefix + key),
        formats,
        nowMs,
        `${prefix}${key}.`,
      );
    if (!ok) return false;
  }
  return true;
}

function naiveField(
  found: Found,
  want: JsonValue,
  format: string | undefined,
  formats: Formats,
  nowMs: number,
  prefix: string,
): boolean {
  const ops = typeof want === 'object' && want !== null ? (want as JsonObject) : { $eq: want };
  return Object.keys(ops).every((op) => {
    const operand = ops[op] as JsonValue;
    if (op === '$not') return !naiveField(found, operand, format, formats, nowMs, prefix);
    if (op === '$exists') return found.present === operand;
    if (op === '$elemMatch') {
      return found.elements.some((item) =>
        Object.keys(operand as JsonObject).every((k) => k.startsWith('$') && k !== '$and' && k !== '$or')
          ? naiveField(
              { present: true, leaves: [item].flat(9) as JsonValue[], elements: [] },
              operand,
              format,
              formats,
              nowMs,
              prefix,
            )
          : naiveMatches(operand as JsonObject, item, formats, nowMs, prefix),
      );
    }
    return found.leaves.some((leaf) => naiveAtom(leaf, op, operand, format, nowMs));
  });
}

type Found = {
  readonly present: boolean;
  readonly leaves: readonly JsonValue[];
  readonly elements: readonly JsonValue[];
};

function values(record: JsonValue, path: readonly string[]): Found {
  if (Array.isArray(record) && path.length > 0) {
    const all = (record as JsonValue[]).map((item) => values(item, path));
    return {
      present: all.some((f) => f.present),
      leaves: all.flatMap((f) => f.leaves),
      elements: all.flatMap((f) => f.elements),
    };
  }
  if (path.length === 0) {
    return Array.isArray(record)
      ? { present: true, leaves: (record as JsonValue[]).flat(9) as JsonValue[], elements: record as JsonValue[] }
      : { present: true, leaves: [record], elements: [] };
  }
  if (typeof record !== 'object' || record === null || !Object.hasOwn(record, path[0] as string))
    return { present: false, leaves: [], elements: [] };
  return values((record as JsonObject)[path[0] as string] as JsonValue, path.slice(1));
}

/** A date, date-time or partial date by luxon alone. */
function naiveInstant(value: JsonValue): number | undefined {
  if (typeof value !== 'string' || !/^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?)?$/.test(value))
    return undefined;
  const at = DateTime.fromISO(value, { zone: 'utc' });
  return at.isValid ? at.toMillis() : undefined;
}

function naiveAtom(raw: JsonValue, op: string, operand: JsonValue, format: string | undefined, nowMs: number): boolean {
  if (op === '$beginsWith') return typeof raw === 'string' && raw.startsWith(operand as string);
  if (typeof raw === 'object' && raw !== null) return false;
  const convert = (v: JsonValue): JsonValue | undefined => (format === undefined || v === null ? v : naiveInstant(v));
  const value = fits(raw, format) ? convert(raw) : undefined;
  if (value === undefined) return false;
  if (op === '$within')
    return (
      typeof value === 'number' &&
      value >=
        DateTime.fromMillis(nowMs, { zone: 'utc' })
          .minus(Duration.fromISO(operand as string))
          .toMillis()
    );
  if (op === '$in') return (operand as JsonValue[]).some((o) => convert(o) === value);
  if (op === '$nin') return !(operand as JsonValue[]).some((o) => convert(o) === value);
  const other = convert(operand);
  if (op === '$eq') return value === other;
  if (op === '$ne') return value !== other;
  if (typeof value !== typeof other || value === null || other === null || typeof value === 'boolean') return false;
  const order = typeof value === 'string' ? codePoints(value, other as string) : (value as number) - (other as number);
  return op === '$gt' ? order > 0 : op === '$gte' ? order >= 0 : op === '$lt' ? order < 0 : order <= 0;
}

/** A `date` has no time of day, and only a `partial-date` may lack its day. */
function fits(raw: JsonValue, format: string | undefined): boolean {
  if (format === undefined || raw === null || typeof raw !== 'string') return true;
  if (format === 'date') return raw.length === 10;
  return format === 'partial-date' || raw.length >= 10;
}

function codePoints(a: string, b: string): number {
  const x = [...a].map((c) => c.codePointAt(0) as number);
  const y = [...b].map((c) => c.codePointAt(0) as number);
  for (let i = 0; i < Math.min(x.length, y.length); i++) if (x[i] !== y[i]) return (x[i] as number) - (y[i] as number);
  return x.length - y.length;
}
