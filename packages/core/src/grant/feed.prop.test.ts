/** Grants with random filters and fields over random edits and clocks: each grantee holds what its filter and fields let through, at every instant. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toStreamId, toWriterId } from '../base/ids.ts';
import type { JsonObject } from '../base/json.ts';
import { systemRandom } from '../base/random.ts';
import { toAeadKey } from '../crypto/aead.ts';
import { streamTagKey, toGrantSecret } from '../crypto/keys.ts';
import { parseFilter } from '../filter/index.ts';
import { naiveMatches } from '../filter/naive.oracle.ts';
import { probesOf, type World, windowWorlds, worlds } from '../filter/world.oracle.ts';
import type { Entry } from '../wire/entry.ts';
import { diffRecord, type FeedRule, feedTag } from './feed-diff.ts';
import { type FieldTerm, parseFields } from './field-term.ts';
import { type FeedKeys, type Memo, openFeedDelete, openFeedPut, sealFeedDelete, sealFeedPut } from './feed-entry.ts';
import { project } from './projection.ts';

const writer = toWriterId(systemRandom(16));
type Grant = {
  readonly rule: FeedRule;
  readonly keys: FeedKeys;
  readonly source: JsonObject;
  /** What the agent remembers: memos by tag, and when a record comes in by time alone. */
  readonly sent: Map<string, Memo>;
  readonly dues: Map<string, number>;
  /** What the grantee holds. */
  readonly held: Map<string, { readonly record: JsonObject; readonly expiresMs: number | undefined }>;
};

function grantOf(world: World, fields: readonly FieldTerm[] | undefined): Grant {
  const parsed = parseFilter(world.filter, world.formats);
  if (!parsed.ok) throw new Error('the filter is not valid');
  const secret = toGrantSecret(systemRandom(32));
  const stream = toStreamId(Uint8Array.from([4, ...systemRandom(15)]));
  const tagKey = streamTagKey(secret, stream);
  const rule = { grantId: 'ab'.repeat(16), filter: parsed.value, fields, secret, tagKey };
  const keys = { stream, key: toAeadKey(systemRandom(32)) };
  return { rule, keys, source: world.filter, sent: new Map(), dues: new Map(), held: new Map() };
}

/** One step of the agent for one record, through sealed bytes; they are all that a node would hold. */
function step(grant: Grant, id: string, record: JsonObject | undefined, nowMs: number, node: Entry[]): void {
  const { rule, keys, sent, dues, held } = grant;
  const spot = feedTag(rule, id);
  const name = spot.tag.join();
  const next = diffRecord(rule, spot, record, sent.get(name), nowMs);
  if (next.entersMs === undefined) dues.delete(id);
  else dues.set(id, next.entersMs);
  if (next.type === 'none') return;
  const place = { writer, n: node.length + 1, hlc: { ms: Math.max(0, nowMs), counter: 0 }, epoch: 1 };
  if (next.type === 'put') {
    const entry = sealFeedPut(keys, place, next.tag, next.plaintext, next.memo, systemRandom);
    sent.set(name, next.memo);
    node.push(entry);
    const opened = openFeedPut(keys, entry);
    if (!opened.ok) throw new Error('the grantee cannot open its own entry');
    held.set(opened.value.value.id, { record: opened.value.value.record, expiresMs: opened.value.value.expiresMs });
    return;
  }
  const entry = sealFeedDelete(keys, place, next.tag, next.id, systemRandom);
  sent.delete(name);
  node.push(entry);
  const gone = openFeedDelete(keys, entry);
  if (gone.ok) held.delete(gone.value);
}

const seen = ({ held }: Grant, nowMs: number): Record<string, JsonObject> =>
  Object.fromEntries(
    [...held]
      .filter(([, row]) => row.expiresMs === undefined || row.expiresMs > nowMs)
      .map(([id, row]) => [id, row.record] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
const expected = (grant: Grant, world: World, records: Map<string, JsonObject>, nowMs: number) =>
  Object.fromEntries(
    [...records]
      .filter(([, record]) => naiveMatches(grant.source, record, world.formats, nowMs))
      .map(([id, record]) => {
        const place = feedTag(grant.rule, id);
        return [place.id, project(record, grant.rule.fields, place.id, grant.rule.secret)] as const;
      })
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );

/** An edit of one of a few records, or time that passes; the share says how far towards the next instant at which something may change. */
const edits = fc.array(
  fc.record({
    id: fc.integer({ min: 0, max: 3 }),
    what: fc.constantFrom('put', 'put', 'delete', 'wait'),
    pick: fc.nat(50),
  }),
  { minLength: 2, maxLength: 12 },
);

const paths = fc.constantFrom(
  'a',
  'x',
  'day',
  'when',
  'deep',
  'deep.x',
  'deep.at',
  'list',
  'list.x',
  'list.day',
  'schema.no',
);
const transforms = fc.constantFrom('drop', 'year', 'pseudonym', { round: 5 }, undefined);
/** What of a record a grant reveals, and how; undefined for all of it. What no grant may say counts as that. */
const fieldTerms = fc
  .array(fc.record({ path: paths, transform: transforms }, { requiredKeys: ['path'] }), { maxLength: 4 })
  .map((terms) => terms.map(({ path, transform }) => (transform === undefined ? path : { path, transform })));
const fieldsOf = (terms: readonly unknown[], { formats }: World): readonly FieldTerm[] | undefined => {
  const parsed = parseFields(terms, formats);
  return parsed.ok ? parsed.value : undefined;
};

describe('feeds of one owner', () => {
  it('[FEED-5] [FEED-6] [FEED-7] [FEED-25] prop: each grantee’s view is what its filter and fields let through, and it opens nothing of the other’s', () => {
    const cases = fc.tuple(
      fc.oneof(worlds, windowWorlds),
      fc.array(fc.oneof(worlds, windowWorlds), { minLength: 4, maxLength: 4 }),
      edits,
      fc.array(fc.tuple(fieldTerms, fc.boolean()), { minLength: 2, maxLength: 4 }),
    );
    let withFields = 0;
    fc.assert(
      fc.property(cases, ([world, others, script, terms]) => {
        const grants = terms.map(([fields, isOther]) =>
          grantOf(isOther ? { ...world, filter: { $not: world.filter } } : world, fieldsOf(fields, world)),
        );
        withFields += grants.filter(({ rule }) => rule.fields).length;
        const node: Entry[] = [];
        const records = new Map<string, JsonObject>();
        let nowMs = world.nowMs;
        for (const { id: number, what, pick } of script) {
          const id = `r${number}`;
          if (what === 'wait') {
            const probes = probesOf(world).filter((at) => at > nowMs);
            nowMs = probes[pick % Math.max(1, probes.length)] ?? nowMs + 1;
          } else if (what === 'delete') records.delete(id);
          else records.set(id, [world, ...others][pick % 5]?.record ?? {});
          for (const grant of grants) {
            if (what !== 'wait') step(grant, id, records.get(id), nowMs, node);
            // With an agent up, what time brings in is looked at when its instant has come, one after the other.
            for (let due = soonest(grant, nowMs); due; due = soonest(grant, nowMs))
              step(grant, due.id, records.get(due.id), due.atMs, node);
            expect(seen(grant, nowMs)).toEqual(expected(grant, world, records, nowMs));
          }
        }
        for (const entry of node) {
          const opens = grants.filter(({ keys }) => openFeedPut(keys, entry).ok || openFeedDelete(keys, entry).ok);
          expect(opens).toHaveLength(1);
        }
      }),
      { numRuns: 400 },
    );
    expect(withFields).toBeGreaterThan(100);
  });
});

function soonest({ dues }: Grant, nowMs: number): { readonly id: string; readonly atMs: number } | undefined {
  const due = [...dues].filter(([, atMs]) => atMs <= nowMs).sort((a, b) => a[1] - b[1])[0];
  return due && { id: due[0], atMs: due[1] };
}
