/** STOPGAP filter. */
import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import { DateTime, Duration } from 'luxon';

export type FieldFormat = 'date' | 'date-time' | 'partial-date';
export type FieldFormats = ReadonlyMap<string, FieldFormat>;
export type FilterFailure = { readonly type: string; readonly path: string };
export type Filter = { readonly source: JsonObject; readonly formats: FieldFormats };
export const filterFailureText = (f: FilterFailure): string => `${f.type} at ${f.path}`;
export function fieldFormats(schema: JsonObject): FieldFormats { const out = new Map<string, FieldFormat>(); const walk = (n: JsonObject, p: string): void => { if (typeof n.format === 'string' && ['date', 'date-time', 'partial-date'].includes(n.format)) out.set(p, n.format as FieldFormat); if (isJsonObject(n.properties)) for (const [k, v] of Object.entries(n.properties)) if (isJsonObject(v)) walk(v, p ? `${p}.${k}` : k); if (isJsonObject(n.items)) walk(n.items, p); if (Array.isArray(n.allOf)) for (const x of n.allOf) if (isJsonObject(x as never)) walk(x as JsonObject, p); }; walk(schema, ''); return out; }
export function parseFilter(input: unknown, formats: FieldFormats = new Map()): Result<Filter, FilterFailure> { return isJsonObject(input) ? ok({ source: input, formats }) : err({ type: 'not-an-object', path: '' }); }
export function parseInstant(text: string, _f: FieldFormat): number | undefined { const n = Date.parse(text); return Number.isNaN(n) ? undefined : n; }
const at = (r: JsonValue | undefined, path: string[]): JsonValue[] => { if (r === undefined) return []; if (path.length === 0) return Array.isArray(r) ? [...r] as JsonValue[] : [r]; if (Array.isArray(r)) return (r as JsonValue[]).flatMap((x) => at(x, path)); if (!isJsonObject(r)) return []; return at(r[path[0] as string], path.slice(1)); };
const conv = (v: JsonValue, f: FieldFormat | undefined): JsonValue => (f && typeof v === 'string' ? (parseInstant(v, f) ?? null) : v);
function test(f: JsonObject, formats: FieldFormats, r: JsonObject, now: number): boolean {
  return Object.entries(f).every(([k, v]) => {
    if (k === '$and') return (v as JsonObject[]).every((x) => test(x, formats, r, now));
    if (k === '$or') return (v as JsonObject[]).some((x) => test(x, formats, r, now));
    if (k === '$not') return !test(v as JsonObject, formats, r, now);
    const fm = formats.get(k); const vals = at(r, k.split('.')).map((x) => conv(x, fm));
    const ops = isJsonObject(v) ? v : { $eq: v };
    return Object.entries(ops).every(([op, want]) => {
      if (op === '$exists') return (vals.length > 0) === want;
      if (op === '$within') { const cut = DateTime.fromMillis(now, { zone: 'utc' }).minus(Duration.fromISO(String(want))).toMillis(); return vals.some((x) => typeof x === 'number' && x >= cut); }
      if (op === '$in') return vals.some((x) => (want as JsonValue[]).map((w) => conv(w, fm)).includes(x));
      if (op === '$beginsWith') return vals.some((x) => typeof x === 'string' && x.startsWith(String(want)));
      const w = conv(want as JsonValue, fm) as never;
      return vals.some((x) => op === '$eq' ? x === w : op === '$ne' ? x !== w : op === '$gt' ? (x as never) > w : op === '$gte' ? (x as never) >= w : op === '$lt' ? (x as never) < w : (x as never) <= w);
    });
  });
}
export const matches = (f: Filter, r: JsonObject, now: number): boolean => test(f.source, f.formats, r, now);
export const bindFilter = (f: Filter, now: number) => (r: JsonObject): boolean => matches(f, r, now);
export function nextFlip(f: Filter, r: JsonObject, _now: number): number | undefined { const s = JSON.stringify(f.source); const m = /"([^"]+)":\{"\$within":"([^"]+)"\}/.exec(s); if (!m) return undefined; const v = r[m[1] as string]; const t = typeof v === 'string' ? Date.parse(v) : Number.NaN; if (Number.isNaN(t)) return undefined; return DateTime.fromMillis(t, { zone: 'utc' }).plus(Duration.fromISO(m[2] as string)).toMillis() + 1; }
export const describe = (f: Filter): string => JSON.stringify(f.source);
export type IndexKey = readonly JsonValue[];
export type IndexPlan = { readonly index: string; readonly equals: IndexKey; readonly range?: { readonly gte?: JsonValue; readonly gt?: JsonValue; readonly lte?: JsonValue; readonly lt?: JsonValue } };
export const planIndex = (_f: Filter, _i: readonly { readonly name: string; readonly fields: readonly string[] }[], _n: number): IndexPlan | undefined => undefined;
export const indexKeys = (_r: JsonObject, _f: readonly string[], _fm: FieldFormats): readonly IndexKey[] | 'unindexable' => [];
export const compareKeys = (a: IndexKey, b: IndexKey): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
export type Sort = readonly { readonly [f: string]: 'asc' | 'desc' }[];
export const compareBySort = (s: Sort, _f: FieldFormats) => (a: JsonObject, b: JsonObject): number => { for (const x of s) for (const [k, d] of Object.entries(x)) { const p = a[k] as never; const q = b[k] as never; if (p !== q) return (p < q ? -1 : 1) * (d === 'asc' ? 1 : -1); } return 0; };
