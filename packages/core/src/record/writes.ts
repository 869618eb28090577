/**
 * Fields with a typed merge: counters, extremes and first values. Such a field keeps the writes that still count; what it shows
 * is worked out of them, so joining two is the union of their writes.
 */

import { canonicalJson } from '../base/canonical-json.ts';
import { type FieldFormat, parseInstant } from '../base/instant.ts';
import type { JsonValue } from '../base/json.ts';
import { compareText } from '../base/text-order.ts';
import { compareStamps, laterStamp, type Stamp } from './stamp.ts';

type Extreme = 'max' | 'min';
/** How the writes of a field become its value; after an extreme, the format in which texts are instants. */
export type WriteRule = 'counter' | 'immutable' | Extreme | `${Extreme} ${FieldFormat}`;

/** One write: the value itself, or for a counter the sum of its writer's contributions up to then. */
export type Write = { readonly value: JsonValue; readonly stamp: Stamp };
/** The writes of a field that count, largest stamp first, and its last removal: what is not later does not count. */
export type Writes = { readonly rule: WriteRule; readonly cut: Stamp | undefined; readonly list: readonly Write[] };

const FORMATS: readonly FieldFormat[] = ['date', 'date-time', 'partial-date'];
const RULES: ReadonlySet<unknown> = new Set<WriteRule>([
  'counter',
  'immutable',
  'max',
  'min',
  ...FORMATS.map((format) => `max ${format}` as const),
  ...FORMATS.map((format) => `min ${format}` as const),
]);

/** Tells whether a merge rule is one of those whose fields keep writes. */
export const isWriteRule = (rule: unknown): rule is WriteRule => RULES.has(rule);

/** The union of two fields' writes, still to be settled. */
export const joinWrites = (a: Writes, b: Writes): Writes => ({
  rule: a.rule,
  cut: laterStamp(a.cut, b.cut),
  list: [...a.list, ...b.list],
});

/** Drops the writes that no longer count: those up to the removal or the record's delete, and those that others outdo for good. */
export function settleWrites({ rule, cut: removed, list }: Writes, deleted: Stamp | undefined): Writes {
  const end = laterStamp(removed, deleted);
  const cut = removed !== undefined && isAfter(removed, deleted) ? removed : undefined;
  const alive = list.filter((write) => isAfter(write.stamp, end));
  if (alive.length > 1) alive.sort((a, b) => compareWrites(rule, b, a));
  return { rule, cut, list: alive.length > 1 ? prune(rule, alive) : alive };
}

const isAfter = (stamp: Stamp, end: Stamp | undefined): boolean => end === undefined || compareStamps(stamp, end) > 0;

/** What settled writes show; undefined without any. */
export function shownOf({ rule, list }: Writes): JsonValue | undefined {
  if (rule !== 'counter') return list[list.length - 1]?.value;
  const sums = list.map((write) => write.value).filter(isCount);
  return sums.length > 0 ? sums.reduceRight((total, sum) => total + sum, 0) : list[0]?.value;
}

/** What a counter counts: whole numbers, since sums of fractions depend on their order. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value);

/** The sum of a writer's contributions to a counter. */
export const countOf = ({ list }: Writes, writer: string): number =>
  (list.find(({ value, stamp }) => stamp.writer === writer && isCount(value))?.value as number | undefined) ?? 0;

/** Tells whether an extreme takes `value` over the one it shows. */
export const outdoes = (rule: WriteRule, value: JsonValue, shown: JsonValue): boolean =>
  compareExtremes(rule, value, shown) > 0;

function prune(rule: WriteRule, list: readonly Write[]): Write[] {
  const kept: Write[] = [];
  const writers = new Set<string>();
  for (const write of list) {
    const last = kept[kept.length - 1];
    if (last !== undefined && compareStamps(last.stamp, write.stamp) === 0) continue;
    if (rule === 'counter') {
      if (writers.has(write.stamp.writer)) continue;
      writers.add(write.stamp.writer);
      // An earlier write with a value as good or worse never shows again, whatever is deleted.
    } else if (rule !== 'immutable' && last !== undefined && !outdoes(rule, write.value, last.value)) continue;
    kept.push(write);
  }
  return kept;
}

/** Orders by stamp; equal stamps, which no honest writer makes, by what the rule prefers, then by value. */
function compareWrites(rule: WriteRule, a: Write, b: Write): number {
  const order = compareStamps(a.stamp, b.stamp);
  if (order !== 0) return order;
  const preferred = rule === 'counter' || rule === 'immutable' ? 0 : compareExtremes(rule, a.value, b.value);
  if (preferred !== 0) return preferred;
  const [x, y] = [canonicalJson(a.value), canonicalJson(b.value)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Orders values so that the one an extreme takes comes last: instants over numbers over texts over all else, of a kind by size. */
function compareExtremes(rule: WriteRule, a: JsonValue, b: JsonValue): number {
  const sign = rule.startsWith('max') ? 1 : -1;
  const format = rule.length > 3 ? (rule.slice(4) as FieldFormat) : undefined;
  const [x, y] = [sizeOf(a, format), sizeOf(b, format)];
  if (x.kind !== y.kind) return x.kind - y.kind;
  return sign * (typeof x.size === 'string' ? compareText(x.size, y.size as string) : x.size - (y.size as number));
}

function sizeOf(
  value: JsonValue,
  format: FieldFormat | undefined,
): { readonly kind: number; readonly size: number | string } {
  if (typeof value === 'number') return { kind: 2, size: value };
  if (typeof value !== 'string') return { kind: 0, size: 0 };
  const instant = format === undefined ? undefined : parseInstant(value, format);
  return instant === undefined ? { kind: 1, size: value } : { kind: 3, size: instant };
}
