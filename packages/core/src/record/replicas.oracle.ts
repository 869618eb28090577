/** Devices that change one record, and a slow second opinion: each device as the bare set of changes it knows, its view worked out anew. */

import { canonicalJson } from '../base/canonical-json.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { decodeBody, encodeBody } from './body.ts';
import { createHlc } from './hlc.ts';
import { mergeStates } from './merge.ts';
import { applyDelete, applySave } from './save.ts';
import { compareStamps, type Stamp } from './stamp.ts';
import { createState, isDeleted, type MergeRule, type MergeRules, type RecordState } from './state.ts';

/** What one device does next. */
export type Step = { readonly who: number; readonly clockMs: number } & (
  | { readonly type: 'save'; readonly document: JsonObject }
  | { readonly type: 'delete' }
  | { readonly type: 'pull'; readonly entry: number }
);

/** One change as the second opinion keeps it. */
type Change = {
  readonly stamp: Stamp;
  readonly merges: number;
  readonly isDelete: boolean;
  readonly insertedAt: number;
  /** Fields written as a whole; undefined is a removal. Of a counter, all that the writer has counted. */
  readonly writes: ReadonlyMap<string, JsonValue | undefined>;
  readonly added: readonly { readonly field: string; readonly value: JsonValue }[];
  readonly removed: readonly string[];
};
type Known = ReadonlySet<Change>;

export type SealedState = { readonly header: Stamp; readonly body: Uint8Array; readonly known: Known };
export type Replica = { readonly state: RecordState | undefined; readonly known: Known };

export const RULES: MergeRules = new Map<string, MergeRule>([
  ['tags', 'set'],
  ['n', 'counter'],
  ['hi', 'max'],
  ['lo', 'min date-time'],
  ['first', 'immutable'],
]);
const TYPED = ['n', 'hi', 'lo', 'first'];
export const writerOf = (n: number): string => `${n}`.repeat(32);
const START_MS = 1_700_000_000_000;

/** Plays the steps; every change gives an entry. `onSave` hears of each save that was asked for. */
export function play(steps: readonly Step[], onSave: (before: Replica, after: Replica, document: JsonObject) => void) {
  let nowMs = START_MS;
  const devices = [0, 1, 2].map((n) => ({
    hlc: createHlc({ nowMs: () => nowMs }),
    writer: writerOf(n),
    replica: { state: undefined, known: new Set() } as Replica,
  }));
  const entries: SealedState[] = [];
  for (const step of steps) {
    nowMs = START_MS + step.clockMs;
    const device = devices[step.who] as (typeof devices)[number];
    const { state, known } = device.replica;
    if (step.type === 'pull') {
      const entry = entries[step.entry % Math.max(1, entries.length)];
      if (entry !== undefined) device.replica = pull(device.replica, entry);
      continue;
    }
    if (state === undefined && step.type === 'delete') continue;
    const header: Stamp = { ...device.hlc.tick(), writer: device.writer };
    const next =
      step.type === 'delete'
        ? applyDelete(state as RecordState, header)
        : save(state, keepFirst(state, step.document), header);
    const after: Replica = next === state ? device.replica : { state: next, known: know(known, next, step, state) };
    if (step.type === 'save') onSave(device.replica, after, keepFirst(state, step.document));
    if (next !== state) entries.push({ header, body: encodeBody(next, header), known: after.known });
    device.replica = after;
  }
  return { entries, replicas: devices.map((d) => d.replica) };
}

/** The document with the first value that is there, since saving another is refused. */
export function keepFirst(state: RecordState | undefined, document: JsonObject): JsonObject {
  const first = state === undefined || isDeleted(state) ? undefined : ownValue(state.fields, 'first');
  return first === undefined ? document : { ...document, first };
}

/** Joins an entry into a replica. */
export function pull(replica: Replica, entry: SealedState): Replica {
  const state = stateOf(entry);
  const merged = replica.state === undefined ? state : mergeStates(replica.state, state, RULES).state;
  return { state: merged, known: new Set([...replica.known, ...entry.known]) };
}

export function stateOf(entry: SealedState): RecordState {
  const decoded = decodeBody(entry.body, entry.header);
  if (!decoded.ok) throw new Error('a body of our own does not decode');
  return decoded.value;
}

const save = (state: RecordState | undefined, document: JsonObject, stamp: Stamp): RecordState =>
  state === undefined
    ? createState(document, stamp, { id: 'r', merges: RULES })
    : applySave(state, document, stamp, RULES);

/** What the changes show: fields, set elements in order, whether deleted, and the base fields in ms. */
export function view(known: Known) {
  const changes = [...known].sort((a, b) => compareStamps(a.stamp, b.stamp));
  const newest = changes.at(-1) as Change;
  const lastDelete = changes.filter((c) => c.isDelete).at(-1);
  const alive = changes.slice(lastDelete === undefined ? 0 : changes.indexOf(lastDelete) + 1);
  const whole = new Map<string, JsonValue | undefined>();
  for (const { writes } of alive) for (const [name, value] of writes) whole.set(name, value);
  for (const name of TYPED) if (whole.has(name)) whole.set(name, typedValue(name, alive));
  const gone = new Set(changes.flatMap((c) => c.removed));
  const elements = new Map<string, JsonValue>();
  for (const change of alive) {
    const kept = change.added.filter(({ field, value }) => !gone.has(additionName(change.stamp, field, value)));
    kept.sort((a, b) => (canonicalJson(a.value) < canonicalJson(b.value) ? -1 : 1));
    for (const { value } of kept) {
      if (!elements.has(canonicalJson(value))) elements.set(canonicalJson(value), value);
    }
  }
  const fields = new Map<string, JsonValue>();
  for (const [name, value] of whole) if (value !== undefined) fields.set(name, value);
  if (elements.size > 0) fields.set('tags', [...elements.values()]);
  return {
    fields: Object.fromEntries(fields) as JsonObject,
    deleted: newest.isDelete,
    insertedAt: Math.min(...changes.map((c) => c.insertedAt)),
    modifiedAt: newest.stamp.ms,
    merges: Math.max(...changes.map((c) => c.merges)),
    tagsAsWhole: whole.get('tags'),
  };
}

/** What the writes of a typed field since its last removal show. */
function typedValue(name: string, alive: readonly Change[]): JsonValue | undefined {
  const removal = alive.findLastIndex(({ writes }) => writes.has(name) && writes.get(name) === undefined);
  const written = alive.slice(removal + 1).filter(({ writes }) => writes.has(name));
  const values = written.map(({ writes }) => writes.get(name) as JsonValue);
  if (name === 'first') return values[0];
  if (name !== 'n')
    return values.reduce<JsonValue | undefined>((best, v) => (isWorse(name, v, best) ? best : v), undefined);
  const sums = new Map(written.map(({ stamp, writes }) => [stamp.writer, writes.get(name) as number]));
  return sums.size === 0 ? undefined : [...sums.values()].reduce((a, b) => a + b);
}

/** Tells whether an extreme keeps `best` although `value` came later. */
function isWorse(name: string, value: JsonValue, best: JsonValue | undefined): boolean {
  if (best === undefined) return false;
  const [x, y] = [value, best].map((v) => (name === 'lo' && typeof v === 'string' && Date.parse(v) ? new Date(v) : v));
  const kinds = [x, y].map((v) => (v instanceof Date ? 3 : typeof v === 'number' ? 2 : typeof v === 'string' ? 1 : 0));
  if (kinds[0] !== kinds[1]) return (kinds[0] as number) < (kinds[1] as number);
  return kinds[0] !== 0 && (name === 'hi' ? (x as number) < (y as number) : (x as number) > (y as number));
}

const additionName = (stamp: Stamp, field: string, value: JsonValue): string =>
  JSON.stringify([stamp, field, canonicalJson(value)]);

/** The change that a step makes on what a device knows. The stamp is the state's own; everything else is worked out here. */
function know(known: Known, next: RecordState, step: Step, previous: RecordState | undefined): Known {
  const before = known.size === 0 ? undefined : view(known);
  const stamp = next.stamps[0] as Stamp;
  const base = {
    stamp,
    merges: (before?.merges ?? 0) + 1,
    isDelete: step.type === 'delete',
    insertedAt: before?.insertedAt ?? stamp.ms,
  };
  if (step.type !== 'save') return new Set([...known, { ...base, writes: new Map(), added: [], removed: [] }]);
  const shown = before === undefined || before.deleted ? {} : before.fields;
  const writes = new Map<string, JsonValue | undefined>();
  const added: { field: string; value: JsonValue }[] = [];
  let removed: string[] = [];
  const document = keepFirst(previous, step.document);
  for (const name of new Set([...Object.keys(shown), ...Object.keys(document)])) {
    const [old, value] = [Object.hasOwn(shown, name) ? shown[name] : undefined, ownValue(document, name)];
    if (TYPED.includes(name)) {
      if (value === undefined) writes.set(name, undefined);
      else if (name === 'n') {
        const mine = old === undefined ? 0 : countedBy(known, stamp.writer);
        if (value !== old) writes.set(name, mine + (value as number) - ((old ?? 0) as number));
      } else if (old === undefined || (name !== 'first' && isWorse(name, old, value))) writes.set(name, value);
      continue;
    }
    if (name !== 'tags') {
      if (value === undefined || old === undefined || canonicalJson(old) !== canonicalJson(value))
        writes.set(name, value);
      continue;
    }
    const [had, has] = [elementKeys(old), elementKeys(value)];
    if (Array.isArray(old) && Array.isArray(value) && had.size === has.size && [...had].every((k) => has.has(k)))
      continue;
    if (old !== undefined && value !== undefined && canonicalJson(old) === canonicalJson(value)) continue;
    removed = additions(known)
      .filter(({ key }) => !has.has(key))
      .map((addition) => addition.name);
    for (const key of has) if (!had.has(key)) added.push({ field: name, value: JSON.parse(key) as JsonValue });
    if (!Array.isArray(value)) writes.set(name, value);
    else if (!Array.isArray(before?.deleted ? undefined : before?.tagsAsWhole)) writes.set(name, []);
  }
  return new Set([...known, { ...base, writes, added, removed }]);
}

/** What a writer has counted since the counter was last removed or the record deleted. */
function countedBy(known: Known, writer: string): number {
  let sum = 0;
  for (const change of [...known].sort((a, b) => compareStamps(a.stamp, b.stamp))) {
    if (change.isDelete || (change.writes.has('n') && change.writes.get('n') === undefined)) sum = 0;
    else if (change.stamp.writer === writer && change.writes.has('n')) sum = change.writes.get('n') as number;
  }
  return sum;
}

const ownValue = (document: JsonObject, name: string): JsonValue | undefined =>
  Object.hasOwn(document, name) ? document[name] : undefined;

const elementKeys = (value: JsonValue | undefined): Set<string> =>
  new Set(Array.isArray(value) ? (value as readonly JsonValue[]).map((item) => canonicalJson(item)) : []);

const additions = (known: Known): { readonly key: string; readonly name: string }[] =>
  [...known].flatMap(({ stamp, added }) =>
    added.map(({ field, value }) => ({ key: canonicalJson(value), name: additionName(stamp, field, value) })),
  );
