import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesToHex, bytesToUtf8, utf8ToBytes } from '../base/bytes.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { decodeBody, encodeBody } from './body.ts';
import { mergeStates } from './merge.ts';
import {
  keepFirst,
  play,
  pull,
  RULES,
  type Replica,
  type SealedState,
  stateOf,
  view,
  writerOf,
} from './replicas.oracle.ts';
import { extreme, history, savedDocument, small, tags } from './histories.oracle.ts';
import { applyDelete, applySave } from './save.ts';
import { compareStamps, type Stamp } from './stamp.ts';
import { createState, isDeleted, type RecordState, revOf, toDocument } from './state.ts';

const SEED = 20261124;
const holds = (numRuns: number) => ({ seed: SEED, numRuns });
const HEADER: Stamp = { ms: 1_800_000_000_000, counter: 7, writer: 'e'.repeat(32) };

const ignore = (): void => {};

const bytesOf = (state: RecordState): string => bytesToUtf8(encodeBody(state, HEADER));
const join = (a: RecordState, b: RecordState): RecordState => mergeStates(a, b, RULES).state;
const joinAll = (entries: readonly SealedState[]): RecordState => entries.map(stateOf).reduce(join);

function expectLaws(a: RecordState, b: RecordState, c: RecordState): void {
  expect(bytesOf(join(a, a))).toBe(bytesOf(a));
  expect(join(a, structuredCopy(a))).toBe(a);
  expect(bytesOf(join(a, b))).toBe(bytesOf(join(b, a)));
  expect(bytesOf(join(join(a, b), b))).toBe(bytesOf(join(a, b)));
  expect(bytesOf(join(join(a, b), c))).toBe(bytesOf(join(a, join(b, c))));
}

const structuredCopy = (state: RecordState): RecordState => {
  const decoded = decodeBody(encodeBody(state, HEADER), HEADER);
  if (!decoded.ok) throw new Error('does not decode');
  return decoded.value;
};

describe('joining', () => {
  it('[REC-10] prop: the states of three writers join idempotently, commutatively and associatively', () => {
    fc.assert(
      fc.property(history, fc.nat(), fc.nat(), fc.nat(), (steps, i, j, k) => {
        const { entries } = play(steps, ignore);
        fc.pre(entries.length > 0);
        const [a, b, c] = [i, j, k].map((n) => stateOf(entries[n % entries.length] as SealedState));
        expectLaws(a as RecordState, b as RecordState, c as RecordState);
      }),
      holds(800),
    );
  });

  it('[REC-10] prop: all entries in any order and with repeats give one state, and one revision', () => {
    const shuffled = history.chain((steps) => {
      const { entries } = play(steps, ignore);
      const order = fc.shuffledSubarray(entries, { minLength: entries.length });
      const repeats = entries.length === 0 ? fc.constant([]) : fc.array(fc.constantFrom(...entries), { maxLength: 8 });
      return fc.tuple(fc.constant(entries), order, repeats, fc.nat());
    });
    fc.assert(
      fc.property(shuffled, ([entries, order, repeats, at]) => {
        fc.pre(entries.length > 0);
        const mixed = [...order];
        for (const [i, entry] of repeats.entries()) mixed.splice((at * (i + 1)) % (mixed.length + 1), 0, entry);
        const [expected, got] = [joinAll(entries), joinAll(mixed)];
        expect(bytesOf(got)).toBe(bytesOf(expected));
        expect(toDocument(got)).toEqual(toDocument(expected));
      }),
      holds(800),
    );
  });

  it('[REC-10] prop: bodies that no device wrote join lawfully too', () => {
    fc.assert(
      fc.property(strangeState, strangeState, strangeState, (a, b, c) => expectLaws(a, b, c)),
      holds(2500),
    );
  });

  it('[REC-5] [REC-7] [REC-8] [REC-9] [REC-13] [REC-14] [REC-15] [REC-17] [REC-24] [REC-25] [REC-26] prop: every device and every join shows what the bare set of changes does', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const { entries, replicas } = play(steps, ignore);
        const whole = entries.reduce<Replica>((replica, entry) => pull(replica, entry), {
          state: undefined,
          known: new Set(),
        });
        for (const { state, known } of [...replicas, whole]) if (state !== undefined) expectView(state, known);
      }),
      holds(800),
    );
  });

  it('[REC-16] prop: devices show the same revision exactly if they know the same changes', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const { replicas } = play(steps, ignore);
        const known = replicas.filter((r) => r.state !== undefined);
        for (const a of known) {
          for (const b of known) {
            const isSame = a.known.size === b.known.size && [...a.known].every((change) => b.known.has(change));
            expect(revOf(a.state as RecordState) === revOf(b.state as RecordState)).toBe(isSame);
          }
        }
      }),
      holds(800),
    );
  });

  it('[REC-11] prop: a state holds the latest stamp of each writer it has seen', () => {
    fc.assert(
      fc.property(history, (steps) => {
        for (const { state, known } of play(steps, ignore).replicas) {
          for (const { stamp } of known) {
            const own = state?.stamps.find((s) => s.writer === stamp.writer) as Stamp;
            expect(compareStamps(own, stamp)).toBeGreaterThanOrEqual(0);
          }
          const used = new Set(state === undefined ? [] : usedIndexes(state));
          state?.stamps.forEach((stamp, i) => {
            const isLatest = state.stamps.findIndex((s) => s.writer === stamp.writer) === i;
            expect(isLatest || used.has(i)).toBe(true);
          });
        }
      }),
      holds(800),
    );
  });

  it('[REC-12] prop: losers are the values that the winner had not seen', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const { replicas } = play(steps, ignore);
        const [a, b] = replicas.filter((r) => r.state !== undefined);
        fc.pre(a?.state !== undefined && b?.state !== undefined);
        const { state, losers } = mergeStates(a.state as RecordState, b.state as RecordState, RULES);
        const lost = new Set(losers.map(({ field, stamp }) => `${field} ${JSON.stringify(stamp)}`));
        for (const [mine, theirs] of [
          [a, b],
          [b, a],
        ] as const) {
          const mineState = mine.state as RecordState;
          const unseen = new Set(
            [...mine.known].filter((c) => !theirs.known.has(c)).map((c) => JSON.stringify(c.stamp)),
          );
          for (const field of Object.keys(mineState.fields).filter((name) => !RULES.has(name))) {
            const stamp = JSON.stringify(mineState.stamps[mineState.stampOf[field] ?? 0]);
            const isKept = JSON.stringify(state.fields[field]) === JSON.stringify(mineState.fields[field]);
            if (!isKept) expect(lost.has(`${field} ${stamp}`)).toBe(unseen.has(stamp));
            else if (!unseen.has(stamp)) expect(lost.has(`${field} ${stamp}`)).toBe(false);
          }
        }
      }),
      holds(800),
    );
  });
});

describe('saving', () => {
  it('[REC-6] prop: saving what is shown, or the same document again, changes nothing', () => {
    fc.assert(
      fc.property(history, savedDocument, fc.nat(), (steps, next, ms) => {
        const { replicas } = play(steps, ignore);
        for (const { state } of replicas) {
          if (state === undefined) continue;
          const stamp = { ms: ms * 1000, counter: 0, writer: writerOf(0) };
          if (!isDeleted(state)) expect(applySave(state, toDocument(state), stamp, RULES)).toBe(state);
          const wanted = keepFirst(state, next);
          const saved = applySave(state, wanted, stamp, RULES);
          expect(applySave(saved, wanted, { ...stamp, ms: 2 ** 47 }, RULES)).toBe(saved);
          expect(applySave(structuredCopy(saved), wanted, stamp, RULES).merges).toBe(saved.merges);
        }
      }),
      holds(800),
    );
  });

  it('[REC-4] [REC-5] prop: a save shows its document, and outdoes all that it was made on', () => {
    fc.assert(
      fc.property(history, (steps) => {
        play(steps, (before, after, saved) => {
          const state = after.state as RecordState;
          expect(asSets(state.fields)).toEqual(asSets({ ...saved, ...keptExtremes(before, state, saved) }));
          if (before.state === undefined || before.state === state) return;
          expect(compareStamps(state.stamps[0] as Stamp, before.state.stamps[0] as Stamp)).toBeGreaterThan(0);
          expect(bytesOf(join(before.state, state))).toBe(bytesOf(state));
          expect(state.merges).toBe(before.state.merges + 1);
        });
      }),
      holds(800),
    );
  });

  it('[REC-7] [REC-8] prop: a delete leaves nothing of what it has seen, and a save after it only itself', () => {
    fc.assert(
      fc.property(history, savedDocument, (steps, next) => {
        const { replicas, entries } = play(steps, ignore);
        for (const { state, known } of replicas) {
          if (state === undefined) continue;
          const stamp = { ms: 0, counter: 0, writer: writerOf(1) };
          const deleted = applyDelete(state, stamp);
          expect(isDeleted(deleted)).toBe(true);
          const revived = applySave(deleted, next, stamp, RULES);
          const seen = entries.filter((entry) => [...entry.known].every((change) => known.has(change))).map(stateOf);
          expect(asSets([revived, ...seen].reduce(join).fields)).toEqual(asSets(next));
          const again = [deleted, ...seen].reduce(join);
          expect([isDeleted(again), again.fields]).toEqual([true, {}]);
        }
      }),
      holds(800),
    );
  });
});

describe('bodies', () => {
  it('[REC-18] [REC-19] [REC-20] [REC-28] prop: a body decodes to the state it was made of, under any header', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const { entries, replicas } = play(steps, ignore);
        for (const { state } of replicas) {
          if (state === undefined) continue;
          for (const header of [HEADER, ...state.stamps, ...entries.map((e) => e.header)]) {
            expect(decodeBody(encodeBody(state, header), header)).toEqual({ ok: true, value: state });
          }
        }
      }),
      holds(800),
    );
  });

  it('[REC-18] prop: any JSON document round-trips', () => {
    const anything = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }), {
      maxKeys: 12,
    }) as fc.Arbitrary<JsonObject>;
    fc.assert(
      fc.property(anything, fc.string({ unit: 'binary', minLength: 1 }), (saved, id) => {
        const state = createState(saved, HEADER, { id });
        const decoded = decodeBody(encodeBody(state, HEADER), HEADER);
        expect(decoded).toEqual({ ok: true, value: state });
        expect(decoded.ok && applySave(decoded.value, saved, HEADER, new Map())).toBe(decoded.ok && decoded.value);
      }),
      holds(800),
    );
  });

  it('[REC-21] prop: changed bytes are refused or read as a state in its one form', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) });
    fc.assert(
      fc.property(strangeBody, fc.array(change, { maxLength: 3 }), (text, changes) => {
        const bytes = utf8ToBytes(text);
        for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
        const decoded = decodeBody(bytes, HEADER);
        if (!decoded.ok) {
          expect(decoded.error).toEqual({ type: 'malformed' });
          return;
        }
        expect(structuredCopy(decoded.value)).toEqual(decoded.value);
        expect(toDocument(decoded.value)._id).toBe(decoded.value.id);
      }),
      holds(4000),
    );
  });
});

const strangeWrites = fc.record({
  rule: fc.constantFrom('counter', 'max', 'min', 'min date-time', 'immutable'),
  cut: fc.option(fc.nat()),
  list: fc.array(fc.tuple(fc.oneof(extreme, small), fc.nat()), { minLength: 1, maxLength: 4 }),
});

/** Bodies of the right shape with contents no device would write: stamps in any order, fields under a delete, equal stamps with other values. */
const strangeBody: fc.Arbitrary<string> = fc
  .record({
    a: fc.nat({ max: 9 }),
    m: fc.integer({ min: 1, max: 3 }),
    s: fc.constantFrom('p', 'q'),
    t: fc.uniqueArray(
      fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 1 }), fc.constantFrom('a'.repeat(32), 'b'.repeat(32))),
      { minLength: 1, maxLength: 5, selector: String },
    ),
    f: fc.record({ a: small, b: small, tags, n: small, hi: small, first: small }, { requiredKeys: [] }),
    w: fc.option(fc.dictionary(fc.constantFrom('a', 'tags', 'n', 'hi', 'lo', 'first'), strangeWrites, { maxKeys: 3 })),
    picks: fc.record({
      a: fc.nat(),
      b: fc.nat(),
      tags: fc.nat(),
      n: fc.nat(),
      hi: fc.nat(),
      first: fc.nat(),
      d: fc.option(fc.nat()),
    }),
    gone: fc.boolean(),
    e: fc.option(
      fc.uniqueArray(fc.tuple(fc.constantFrom('x', 'y', 1), fc.nat(), fc.nat()), {
        maxLength: 3,
        selector: ([v]) => v,
      }),
    ),
  })
  .map(({ a, m, s, t, f: all, w, picks, gone, e: sets }) => {
    const at = (n: number): number => n % t.length;
    const f = Object.fromEntries(Object.entries(all).filter(([name]) => w === null || !Object.hasOwn(w, name)));
    const e = w !== null && Object.hasOwn(w, 'tags') ? null : sets;
    const writes = Object.entries(w ?? {}).map(([name, { rule, cut, list }]) => [
      name,
      [rule, cut === null ? -1 : at(cut), ...list.map(([value, n]) => [value, at(n)])],
    ]);
    const names = new Set([...Object.keys(f), ...(e === null ? [] : ['tags']), ...(gone && !('b' in f) ? ['b'] : [])]);
    const o = Object.fromEntries([...names].map((name) => [name, at(picks[name as keyof typeof all])]));
    return JSON.stringify({
      v: 1,
      i: 'r',
      s,
      a,
      m,
      t,
      f,
      o,
      ...(gone && !('b' in f) ? { r: ['b'] } : {}),
      ...(picks.d === null ? {} : { d: at(picks.d) }),
      ...(writes.length === 0 ? {} : { w: Object.fromEntries(writes) }),
      ...(e === null ? {} : { e: { tags: e.map(([value, x, y]) => [value, at(x), at(y)]) } }),
    });
  });

const strangeState: fc.Arbitrary<RecordState> = strangeBody.map((text) => {
  const decoded = decodeBody(utf8ToBytes(text), HEADER);
  if (!decoded.ok) throw new Error(`refused ${text}`);
  return join(decoded.value, decodeRaw(text));
});

/** Under the rules of sets, plain arrays are normalised by the first join. */
const decodeRaw = (text: string): RecordState => {
  const decoded = decodeBody(utf8ToBytes(text), HEADER);
  if (!decoded.ok) throw new Error(bytesToHex(utf8ToBytes(text)));
  return decoded.value;
};

/** A document's fields with `tags` as a sorted set. */
function asSets(fields: JsonObject): JsonObject {
  const out: Record<string, JsonValue> = { ...fields };
  if (!Array.isArray(fields.tags)) return out;
  const texts = (fields.tags as readonly JsonValue[]).map((item) =>
    JSON.stringify(typeof item === 'object' ? { j: 2, k: 1 } : item),
  );
  return { ...out, tags: [...new Set(texts)].sort() };
}

function expectView(state: RecordState, known: Replica['known']): void {
  const expected = view(known);
  const shown = toDocument(state);
  expect(state.fields).toEqual(expected.deleted ? {} : expected.fields);
  expect(isDeleted(state)).toBe(expected.deleted);
  expect(state.merges).toBe(expected.merges);
  expect(shown.insertedAt).toBe(new Date(expected.insertedAt).toISOString());
  expect(shown.modifiedAt).toBe(new Date(expected.modifiedAt).toISOString());
}

function usedIndexes(state: RecordState): number[] {
  const names = [...Object.keys(state.fields), ...state.removed];
  const adds = Object.values(state.sets ?? {}).flatMap((part) => part.adds.flat());
  const plain = names.filter((name) => state.writes?.[name] === undefined);
  const writes = Object.values(state.writes ?? {}).flatMap(({ cut, list }) => [cut, ...list.map(([, at]) => at)]);
  return [...plain.map((name) => state.stampOf[name] ?? 0), ...adds, ...writes, state.deleted];
}

/** Where an extreme keeps what it shows, the document saved does not show. */
function keptExtremes(before: Replica, after: RecordState, saved: JsonObject): JsonObject {
  const old = before.state?.fields ?? {};
  const kept = ['hi', 'lo'].filter((name) => Object.hasOwn(saved, name) && after.fields[name] === old[name]);
  return Object.fromEntries(kept.map((name) => [name, old[name] as JsonValue]));
}
