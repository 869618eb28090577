/** Which grant wrote what stands in a record: found by the stamps that its fields carry. Must not know where the log is kept. */

import { bytesToHex, type Did } from '@sluice/core/base';
import { isDeleted, type RecordState, type Stamp, stampOfField } from '@sluice/core/record';
import { sha256 } from '@sluice/core/crypto';
import type { GivenGrant } from '../grant-item.ts';
import type { TermsChange } from '../standing-terms.ts';
import { laneWriter } from './made-write.ts';
import type { WriteRecord } from './write-log.ts';

/** A write of a grantee that stands in a record, and the consent that it was let in by. */
export type WriteOrigin = {
  readonly grantId: string;
  readonly grantee: Did;
  /** The number of the write, as `writes.list` has it. */
  readonly n: number;
  /** When the grantee wrote it. */
  readonly atMs: number;
  /** SHA-256, in hex, of the receipt of the terms that were in force when it took effect. */
  readonly receipt: string;
};

/** What grantees wrote of one record. What is not named was written by the owner's own software. */
export type RecordOrigins = {
  /** By top-level field; a field that a grantee removed is among them. */
  readonly fields: { readonly [name: string]: WriteOrigin };
  /** Who deleted the record. */
  readonly deleted?: WriteOrigin;
};

/** Finds what the writes of one grant left in a record. */
export function originsIn(
  state: RecordState,
  writes: readonly WriteRecord[],
  { grant, changes }: { readonly grant: GivenGrant; readonly changes: readonly TermsChange[] },
): RecordOrigins {
  const writer = grant.lane && laneWriter(grant.lane);
  const byStamp = new Map(writes.map((write) => [`${write.at.ms}/${write.at.counter}`, write]));
  const originOf = (stamp: Stamp | undefined): WriteOrigin | undefined => {
    const write = stamp && stamp.writer === writer ? byStamp.get(`${stamp.ms}/${stamp.counter}`) : undefined;
    if (!write) return undefined;
    const { grantId, grantee } = grant;
    return { grantId, grantee, n: write.n, atMs: write.at.ms, receipt: receiptOf(write, grant, changes) };
  };
  const fields: Record<string, WriteOrigin> = {};
  for (const name of [...Object.keys(state.fields), ...state.removed]) {
    const origin = originOf(newestOf(state, name));
    if (origin) fields[name] = origin;
  }
  const deleted = isDeleted(state) ? originOf(state.stamps[0]) : undefined;
  return { fields, ...(deleted ? { deleted } : {}) };
}

/** The newest write that a field shows: of a set, that of its newest element. */
function newestOf(state: RecordState, name: string): Stamp | undefined {
  const adds = state.sets?.[name]?.adds.flat() ?? [];
  if (adds.length === 0) return stampOfField(state, name);
  return state.stamps[Math.min(state.stampOf[name] ?? 0, ...adds)];
}

function receiptOf({ term }: WriteRecord, grant: GivenGrant, changes: readonly TermsChange[]): string {
  // Of two changes of one number, made at the same time, the one of the larger hash stands (spec/grant.md).
  const hashes = changes.flatMap((change) => (change.term === term ? [change.hash] : [])).sort();
  return hashes.at(-1) ?? bytesToHex(sha256(grant.receipt));
}
