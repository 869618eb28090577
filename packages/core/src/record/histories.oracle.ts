/** Random histories of one record on several devices. */

import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { play, type Step } from './replicas.oracle.ts';
import type { RecordState } from './state.ts';

export const small: fc.Arbitrary<JsonValue> = fc.constantFrom<JsonValue>(1, 'x', null, false, [2, 1], {
  k: 1,
  j: [{}],
});
const element: fc.Arbitrary<JsonValue> = fc.constantFrom<JsonValue>('x', 'y', 1, { k: 1, j: 2 }, { j: 2, k: 1 });
export const tags: fc.Arbitrary<JsonValue> = fc.oneof(
  { weight: 8, arbitrary: fc.array(element, { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.constant('plain') },
);
/** Two texts are one instant. */
export const extreme: fc.Arbitrary<JsonValue> = fc.constantFrom<JsonValue>(
  ...[1, 2, 10, null, 'x', 'y'],
  ...['2026-01-01T00:00:00Z', '2026-01-01T02:00:00+02:00', '2026-01-01T01:00:00+02:00', '2025-06-01T00:00:00Z'],
);
/** A document as a device saves it. */
export const savedDocument: fc.Arbitrary<JsonObject> = fc.record(
  {
    ...{ a: small, b: small, 7: small, constructor: small, tags },
    ...{ n: fc.integer({ min: -3, max: 5 }), hi: extreme, lo: extreme, first: fc.constantFrom('p', 'q', { k: 1 }) },
  },
  { requiredKeys: [] },
) as fc.Arbitrary<JsonObject>;

/** Clocks jump by minutes to either side, so that writers are behind and ahead of each other. */
const turn = { who: fc.nat({ max: 2 }), clockMs: fc.integer({ min: -300_000, max: 300_000 }) };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant('save' as const), document: savedDocument, ...turn }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('delete' as const), ...turn }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('pull' as const), entry: fc.nat({ max: 40 }), ...turn }) },
);
/** What the devices do, one after another. */
export const history = fc.array(step, { minLength: 1, maxLength: 24 });

/** Fields that saved documents have. */
export const removableNames: string[] = ['a', 'b', '7', 'constructor', 'tags', 'n', 'hi', 'lo', 'first'];

/** The states that devices end with. */
export const statesOf = (steps: readonly Step[]): RecordState[] =>
  play(steps, () => {}).replicas.flatMap(({ state }) => state ?? []);
