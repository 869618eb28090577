/**
 * What lost a concurrent edit on this device: the last few values of each field, sealed, for 30 days. The row of a loser that was
 * settled, is too old or one too many stays without its content, since merging the same heads anew reports it again.
 */

import {
  bytesToHex,
  bytesToUtf8,
  type Clock,
  concatBytes,
  hexToBytes,
  isJsonObject,
  type JsonValue,
  type Random,
  type Tag,
  utf8ToBytes,
} from '@sluice/core/base';
import { type AeadKey, openAead, recordTag, sealAead, type StreamTagKey } from '@sluice/core/crypto';
import type { Loser } from '@sluice/core/record';
import { isStoreFull } from '../errors.ts';
import { addListener } from '../listeners.ts';
import type { StoreDb } from './store-db.ts';

/** A value that lost; `lost` is undefined for a removal, `key` names it to `settle`. */
export type LostValue = {
  readonly key: string;
  readonly id: string;
  readonly field: string;
  readonly lost: JsonValue | undefined;
  /** When this device merged it away. Units: ms since the Unix epoch. */
  readonly lostMs: number;
  /** Who had written it, and when. */
  readonly writer: string;
  readonly writtenMs: number;
};

/** What a journal stands on. */
export type ConflictJournalDeps = {
  readonly db: StoreDb;
  readonly rowOf: () => number;
  readonly key: AeadKey;
  readonly tagKey: StreamTagKey;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly random: Random;
};

/** The losers of one collection. */
export type ConflictJournal = {
  /** Writes down the losers that are new. In a transaction they are kept exactly if it is. */
  readonly note: (tag: Tag, id: string, losers: readonly Loser[]) => void;
  /** What is kept, oldest first; of one record, if its id is given. */
  readonly list: (id?: string) => LostValue[];
  /** Forgets a loser's value. Returns false where there is none. */
  readonly settle: (key: string) => boolean;
  /** Hears of each new loser, once what noted it is over. */
  readonly onLoser: (listener: (lost: LostValue) => void) => () => void;
};

/** How many losers of one field are kept, and how long. */
const MAX_OF_FIELD = 3;
const KEEP_MS = 30 * 86_400_000;
const AAD = utf8ToBytes('sluice/conflict/1');
const KEY = /^[0-9a-f]{32}$/;

/** Opens the journal of a collection. */
export function openConflictJournal(deps: ConflictJournalDeps): ConflictJournal {
  const { db, rowOf, clock } = deps;
  const listeners = new Set<(lost: LostValue) => void>();
  let fresh: LostValue[] = [];
  db.onRollback(() => {
    fresh = [];
  });

  const nameOf = (id: string, { field, stamp }: Loser): Uint8Array =>
    recordTag(deps.tagKey, JSON.stringify(['conflict', id, field, stamp.ms, stamp.counter, stamp.writer]));

  const rows = (tag: Tag | undefined): LostValue[] => {
    const found = tag
      ? db.sql('SELECT mark, at, sealed FROM conflict WHERE stream = ? AND tag = ?').all(rowOf(), tag)
      : db.sql('SELECT mark, at, sealed FROM conflict WHERE stream = ?').all(rowOf());
    return found
      .flatMap(({ mark, at, sealed }) => {
        if (sealed === null || Number(at) <= clock.nowMs() - KEEP_MS) return [];
        const plain = openAead(deps.key, concatBytes(AAD, mark as Uint8Array), sealed as Uint8Array);
        const value = plain.ok ? (JSON.parse(bytesToUtf8(plain.value)) as JsonValue) : undefined;
        return isJsonObject(value)
          ? [{ lost: undefined, ...value, key: bytesToHex(mark as Uint8Array), lostMs: Number(at) } as LostValue]
          : [];
      })
      .sort((a, b) => a.lostMs - b.lostMs || a.writtenMs - b.writtenMs || (a.key < b.key ? -1 : 1));
  };

  const wipe = (mark: Uint8Array): number =>
    db.sql('UPDATE conflict SET sealed = NULL WHERE stream = ? AND mark = ? AND sealed IS NOT NULL').run(rowOf(), mark);

  /** Values that are too old go; rows go whose record has one head, so that nothing reports them again. */
  const forgetOld = (): void => {
    db.sql('UPDATE conflict SET sealed = NULL WHERE stream = ? AND at <= ? AND sealed IS NOT NULL').run(
      rowOf(),
      clock.nowMs() - KEEP_MS,
    );
    // Said outright: the planner takes the primary key for as good.
    db.sql(
      'DELETE FROM conflict INDEXED BY conflict_wiped WHERE stream = ? AND sealed IS NULL AND (SELECT count(*) FROM entry e WHERE e.stream = conflict.stream AND e.tag = conflict.tag AND e.live = 1) < 2',
    ).run(rowOf());
  };

  const add = (tag: Tag, id: string, loser: Loser): void => {
    const mark = nameOf(id, loser);
    if (db.sql('SELECT 1 FROM conflict WHERE stream = ? AND mark = ?').get(rowOf(), mark)) return;
    const { field, value: lost, stamp } = loser;
    const content = { id, field, ...(lost === undefined ? {} : { lost }), writer: stamp.writer, writtenMs: stamp.ms };
    const sealed = sealAead(deps.key, concatBytes(AAD, mark), utf8ToBytes(JSON.stringify(content)), deps.random);
    const lostMs = clock.nowMs();
    db.sql('INSERT INTO conflict (stream, mark, tag, at, sealed) VALUES (?, ?, ?, ?, ?)').run(
      rowOf(),
      mark,
      tag,
      lostMs,
      sealed,
    );
    // By the time of writing, so that the same stay in whatever order heads were merged.
    const ofField = rows(tag)
      .filter((row) => row.id === id && row.field === field)
      .sort((a, b) => b.writtenMs - a.writtenMs || (a.key < b.key ? -1 : 1));
    for (const { key } of ofField.slice(MAX_OF_FIELD)) wipe(hexToBytes(key));
    const key = bytesToHex(mark);
    if (ofField.slice(0, MAX_OF_FIELD).some((row) => row.key === key)) fresh.push({ ...content, lost, key, lostMs });
  };

  const tell = (): void => {
    const told = fresh;
    fresh = [];
    for (const lost of told) for (const listener of listeners) listener(lost);
  };

  return {
    note: (tag, id, losers) => {
      try {
        db.transactLazily(() => {
          forgetOld();
          for (const loser of losers) add(tag, id, loser);
        });
      } catch (cause) {
        // The heads are still there, and the next merge reports the same.
        if (!isStoreFull(cause)) throw cause;
      }
      // Whoever listens may save, which has no place in the reading or saving that is under way.
      if (fresh.length > 0) queueMicrotask(tell);
    },
    list: (id) => rows(id === undefined ? undefined : recordTag(deps.tagKey, id)),
    settle: (key) => KEY.test(key) && wipe(hexToBytes(key)) > 0,
    onLoser: (listener) => addListener(listeners, listener),
  };
}
