/** A grantee's own pending writes over what the owner reveals: what it has written shows at once, and goes when it is refused. */

import { type JsonObject, jsonEquals, type JsonValue } from '@sluice/core/base';
import { type LaneVerdicts, verdictOf } from '@sluice/core/grant';
import type { LaneWriter, PendingWrite, WriteVerdict } from './lane-writer.ts';

/** Pending writes as a reader sees them. */
export type Overlay = {
  readonly isEmpty: () => boolean;
  /** Whether a pending write is to this record. */
  readonly touches: (id: string) => boolean;
  /** The record with the pending writes to it on top; undefined when there is none, or a delete is pending. */
  readonly over: (id: string, record: JsonObject | undefined) => JsonObject | undefined;
  /** All records with the pending writes on top. */
  readonly visible: (
    records: Iterable<JsonObject>,
    recordOf: (id: string) => JsonObject | undefined,
  ) => Iterable<JsonObject>;
  /** Whether two versions of a record say the same, but for when. */
  readonly isSame: (a: JsonObject, b: JsonObject) => boolean;
  readonly numberOf: LaneWriter['numberOf'];
  readonly decide: LaneWriter['decide'];
  readonly reload: () => void;
  readonly observe: LaneWriter['observe'];
  /** Forgets all pending writes. Call inside a transaction. */
  readonly wipe: () => void;
  /** The final verdict on a write that is not pending any more. */
  readonly verdictOf: (verdicts: LaneVerdicts, n: number) => WriteVerdict | undefined;
};

const TIMES = new Set(['insertedAt', 'modifiedAt']);

/** Puts a lane's pending writes over records of one schema. */
export function createOverlay(lane: LaneWriter, schema: string): Overlay {
  const writesTo = (id: string): readonly PendingWrite[] => lane.pending().filter((write) => write.id === id);
  const over = (id: string, record: JsonObject | undefined, writes = writesTo(id)): JsonObject | undefined => {
    let shown = record;
    for (const write of writes) shown = applied(write, shown, schema);
    return shown;
  };
  return {
    isEmpty: () => lane.pending().length === 0,
    touches: (id) => lane.pending().some((write) => write.id === id),
    over: (id, record) => over(id, record),
    visible: function* (records, recordOf) {
      const byId = new Map<string, PendingWrite[]>();
      for (const write of lane.pending()) byId.set(write.id, [...(byId.get(write.id) ?? []), write]);
      for (const record of records) {
        const writes = byId.get(String(record._id));
        const shown = writes ? over(String(record._id), record, writes) : record;
        if (shown) yield shown;
      }
      for (const [id, writes] of byId) {
        if (recordOf(id)) continue;
        const shown = over(id, undefined, writes);
        if (shown) yield shown;
      }
    },
    isSame: (a, b) => jsonEquals(withoutTimes(a), withoutTimes(b)),
    decide: lane.decide,
    reload: lane.reload,
    observe: lane.observe,
    wipe: lane.wipe,
    numberOf: lane.numberOf,
    verdictOf: (verdicts, given) => {
      const n = lane.numberOf(given);
      // What the node has not taken from here is not what was decided under this number.
      if (lane.pending().some((write) => write.n === n && write.state === 'queued')) return undefined;
      const verdict = lane.refusalOf(n) ?? verdictOf(verdicts, n);
      if (verdict === 'open' || verdict === 'waiting') return undefined;
      const accepted = verdict === 'accepted' || verdict === 'applied';
      const id = lane.pending().find((write) => write.n === n)?.id ?? '';
      return { n, id, accepted, ...(accepted ? {} : { code: verdict }) };
    },
  };
}

function applied(write: PendingWrite, record: JsonObject | undefined, schema: string): JsonObject | undefined {
  if (write.operation === 'delete') return undefined;
  // An update of what is not there any more has nothing to change.
  if (!record && write.operation === 'update') return undefined;
  const at = new Date(write.atMs).toISOString();
  const shown: Record<string, JsonValue> = { ...(record ?? { _id: write.id, schema, insertedAt: at }), ...write.set };
  for (const name of write.remove) delete shown[name];
  if (!record || 'modifiedAt' in record) shown.modifiedAt = at;
  return shown;
}

const withoutTimes = (record: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(record).filter(([name]) => !TIMES.has(name)));
