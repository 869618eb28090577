/**
 * What one feed says, read straight from the node with the grant's key, and what it should say: the owner's records at the basis of each
 * checkpoint, filtered and projected anew. Knows neither agent nor reader.
 */

import { bytesToHex, equalBytes, type JsonObject, jsonEquals, type JsonValue, type Tag } from '@sluice/core/base';
import { type AeadKey, streamTagKey } from '@sluice/core/crypto';
import { type FieldFormats, type Filter, matches, parseFilter } from '@sluice/core/filter';
import {
  type Basis,
  type Checkpoint,
  covers,
  createRunningDigest,
  type FeedKeys,
  feedTag,
  type GrantTerms,
  type LaneVerdicts,
  openCheckpoint,
  openFeedDelete,
  openFeedPut,
  openKeyChange,
  openVerdicts,
  project,
  recordPrint,
} from '@sluice/core/grant';
import type { GivenGrant } from '@sluice/client';
import { decodeHeader, ENTRY_KIND, type PageEntry } from '@sluice/core/wire';
import type { OwnHistory } from './own-history.ts';

/** The records a grantee should see, by its own ids. `doubtful` ones depend on a clock that was wrong, and are not judged. */
export type View = { readonly records: ReadonlyMap<string, JsonObject>; readonly doubtful: ReadonlySet<string> };
/** How far clocks were off, in ms: the furthest behind (at most 0) and ahead. */
export type ClockReach = { readonly behindMs: number; readonly aheadMs: number };
/** Says which invariant is broken, and how. */
export type Blame = (invariant: string, text: string) => void;

/** One feed under watch. */
export type FeedModel = {
  readonly grant: GivenGrant;
  readonly keys: () => readonly AeadKey[];
  /** Number of the last entry that was read. */
  cursor: number;
  readonly add: (item: PageEntry) => void;
  /** What the feed shows at an instant. */
  readonly shown: (atMs: number) => View;
  /** What it should show of these records at an instant, by these terms. */
  readonly expected: (documents: ReadonlyMap<string, JsonObject>, atMs: number, terms: GrantTerms) => View;
  readonly ended: () => boolean;
  readonly checkpoints: () => number;
  /** What the feed says of a write: whether it was accepted. */
  readonly verdictOn: (n: number) => boolean | undefined;
};

type Row = {
  readonly tag: Tag;
  readonly print: Uint8Array;
  readonly id: string;
  readonly record: JsonObject;
  readonly expiresMs: number;
};

/** Watches a feed from its start. */
export function createFeedModel(
  grant: GivenGrant,
  formats: FieldFormats,
  history: OwnHistory,
  reach: () => ClockReach,
  keyOf: (grantId: string, commitment: string) => AeadKey | undefined,
  termsOf: (header: Uint8Array) => readonly GrantTerms[],
  blame: Blame,
): FeedModel {
  /** By epoch. */
  const keysOf = new Map<number, AeadKey>([[1, grant.key]]);
  const tagKey = streamTagKey(grant.secret, grant.feed);
  const rows = new Map<string, Row>();
  let last: { readonly basis: Basis; readonly asOfMs: number } | undefined;
  /** Whether a write of the grantee was accepted, by number. */
  const decided = new Map<number, boolean>();
  let ended = false;
  let checkpoints = 0;

  const shown = (atMs: number): View => {
    const { behindMs, aheadMs } = reach();
    const records = new Map<string, JsonObject>();
    const doubtful = new Set<string>();
    for (const { id, record, expiresMs } of rows.values()) {
      if (expiresMs > atMs) records.set(id, record);
      if (expiresMs > atMs + behindMs && expiresMs <= atMs + aheadMs) doubtful.add(id);
    }
    return { records, doubtful };
  };
  const expected: FeedModel['expected'] = (documents, atMs, terms) => {
    const { behindMs, aheadMs } = reach();
    const filter = parsed(terms.filter, formats);
    const records = new Map<string, JsonObject>();
    const doubtful = new Set<string>();
    for (const [recordId, document] of documents) {
      if (document.schema !== terms.schema) continue;
      const { id } = feedTag({ grantId: grant.grantId, secret: grant.secret, tagKey }, recordId);
      const now = matches(filter, document, atMs);
      if (matches(filter, document, atMs + behindMs) !== now || matches(filter, document, atMs + aheadMs) !== now)
        doubtful.add(id);
      if (now) records.set(id, project(document, terms.fields, id, grant.secret));
    }
    return { records, doubtful };
  };

  const onCheckpoint = (checkpoint: Checkpoint, known: readonly GrantTerms[], ends: boolean): void => {
    const { basis, asOfMs } = checkpoint;
    checkpoints++;
    if (last && !covers(basis, last.basis)) blame('I3', `the basis of the feed of ${name} went back`);
    if (last && asOfMs < last.asOfMs) blame('I3', `the time of the feed of ${name} went back`);
    last = { basis, asOfMs };
    ended = ends;
    if (!covers(history.head(), basis))
      blame('I13', `the feed of ${name} speaks of entries that the node does not have`);
    const digest = createRunningDigest();
    for (const row of rows.values()) if (row.expiresMs > asOfMs) digest.add(row.tag, row.print);
    if (digest.count() !== checkpoint.count || !equalBytes(digest.value(), checkpoint.digest))
      blame('I3', `the feed of ${name} says ${checkpoint.count} records, and shows ${digest.count()}`);
    if (known.length === 0) blame('I3', `the feed of ${name} is on terms that nobody set`);
    const differences = known.map((terms) =>
      differenceOf(expected(history.documentsAt(basis), asOfMs, terms), shown(asOfMs).records),
    );
    if (differences.every((difference) => difference))
      blame('I3', `the feed of ${name} at its checkpoint: ${differences.join(' or ')}`);
  };

  /** What the feed says of a write is said for good. */
  const onVerdicts = ({ upTo, waiting, rejected, unapplied }: LaneVerdicts): void => {
    const refused = new Set(rejected.map(({ n }) => n));
    for (let n = 1; n <= upTo; n++) {
      if (waiting.includes(n)) {
        if (decided.has(n)) blame('I7', `the feed of ${name} takes back its verdict on write ${n}`);
        continue;
      }
      const accepts = !refused.has(n);
      const before = decided.get(n);
      // A refusal that was heard is not said any more.
      if (before === undefined) decided.set(n, accepts);
      else if (before !== accepts && (refused.has(n) || unapplied.includes(n)))
        blame('I7', `the feed of ${name} has two verdicts on write ${n}`);
    }
  };

  const name = grant.grantId.slice(0, 8);
  return {
    grant,
    keys: () => [...keysOf.values()],
    cursor: 0,
    add: (item) => {
      const header = decodeHeader(item.header);
      if (!header.ok || !item.body) return blame('I3', `an entry of the feed of ${name} has no body`);
      const entry = { header: item.header, body: item.body };
      const key = keysOf.get(header.value.epoch);
      if (!key)
        return blame('I12', `an entry of the feed of ${name} is sealed under a key that was not in the feed before it`);
      const keys: FeedKeys = { stream: grant.feed, key };
      const tag = bytesToHex(header.value.tag);
      switch (header.value.kind) {
        case ENTRY_KIND.PUT: {
          const put = openFeedPut(keys, entry);
          if (!put.ok) return blame('I3', `an entry of the feed of ${name} does not open`);
          const { id, record, expiresMs = Number.POSITIVE_INFINITY } = put.value.value;
          rows.set(tag, { tag: header.value.tag, print: recordPrint(put.value.plaintext), id, record, expiresMs });
          return;
        }
        case ENTRY_KIND.DEL:
          if (!openFeedDelete(keys, entry).ok) blame('I3', `an entry of the feed of ${name} does not open`);
          rows.delete(tag);
          return;
        case ENTRY_KIND.KEY: {
          const change = openKeyChange(keys, entry);
          const next = change.ok ? keyOf(grant.grantId, bytesToHex(change.value.commitment)) : undefined;
          if (!change.ok || !next) return blame('I12', `a key in the feed of ${name} is not one that its owner holds`);
          keysOf.set(change.value.epoch, next);
          return;
        }
        case ENTRY_KIND.VERDICT: {
          const verdicts = openVerdicts(keys, entry);
          if (!verdicts.ok) return blame('I7', `verdicts in the feed of ${name} do not open`);
          return onVerdicts(verdicts.value);
        }
        case ENTRY_KIND.CKPT:
        case ENTRY_KIND.END: {
          const checkpoint = openCheckpoint(keys, entry, header.value);
          if (!checkpoint.ok) return blame('I3', `a checkpoint of the feed of ${name} does not open`);
          return onCheckpoint(checkpoint.value, termsOf(item.header), header.value.kind === ENTRY_KIND.END);
        }
      }
    },
    shown,
    expected,
    ended: () => ended,
    checkpoints: () => checkpoints,
    verdictOn: (n) => decided.get(n),
  };
}

/** The first thing that differs, in words; undefined when nothing does. */
export function differenceOf(want: View, got: ReadonlyMap<string, JsonObject>): string | undefined {
  for (const [id, record] of want.records) {
    if (want.doubtful.has(id)) continue;
    const other = got.get(id);
    if (!other) return `lacks ${id} ${JSON.stringify(record)}`;
    if (!jsonEquals(plain(record), plain(other))) return `has ${JSON.stringify(other)} for ${JSON.stringify(record)}`;
  }
  for (const [id, record] of got)
    if (!want.records.has(id) && !want.doubtful.has(id))
      return `has ${id} ${JSON.stringify(record)}, which it should not`;
  return undefined;
}

const plain = (record: JsonObject): JsonValue => record;

function parsed(filter: JsonObject, formats: FieldFormats): Filter {
  const result = parseFilter(filter, formats);
  if (!result.ok) throw new Error('a grant with a filter that cannot be read');
  return result.value;
}
