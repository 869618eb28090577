/** How far a grantee has come with one feed, kept in its store. */

import {
  bytesToHex,
  bytesToUtf8,
  hexToBytes,
  isJsonObject,
  parseJson,
  toWriterId,
  utf8ToBytes,
} from '@sluice/core/base';
import { type Basis, type LaneVerdicts, NO_VERDICTS } from '@sluice/core/grant';
import type { StoreDb } from '../../store/store-db.ts';
import type { KeptCards } from './kept-cards.ts';
import { packVerdicts, unpackVerdicts } from '../lane/packed-verdicts.ts';

/**
 * `backfill` until the first checkpoint verifies, then `live`; `paused` while the owner has paused it. `completed` takes no more; `revoked`,
 * `expired`, `dropped` and `alarm` are final.
 */
export type FeedStatus = 'backfill' | 'live' | 'paused' | 'completed' | 'revoked' | 'expired' | 'dropped' | 'alarm';

/** Where a reader stands. */
export type ReaderState = {
  readonly cursor: number;
  readonly basis: Basis;
  readonly asOfMs: number;
  readonly status: FeedStatus;
  /** The cursor right after the last checkpoint that verified. */
  readonly settledAt?: number;
  readonly verdicts: LaneVerdicts;
  readonly cards: KeptCards;
  /** When the copy has to go, once the grant has ended. */
  readonly wipeAtMs?: number;
};

/** Where a reader stands that has read nothing. */
export const FRESH: ReaderState = {
  cursor: 0,
  basis: [],
  asOfMs: 0,
  status: 'backfill',
  verdicts: NO_VERDICTS,
  cards: {},
};

/** Reads where a reader stands. */
export function loadReaderState(db: StoreDb, feedRow: number): ReaderState {
  const row = db.sql('SELECT cursor, state FROM feed WHERE id = ?').get(feedRow);
  const parsed = row?.state
    ? parseJson(bytesToUtf8(row.state as Uint8Array), { maxBytes: 1024 * 1024, maxDepth: 6 })
    : undefined;
  if (!parsed?.ok || !isJsonObject(parsed.value)) return FRESH;
  // Written by `saveReaderState` alone.
  const kept = parsed.value as unknown as Omit<ReaderState, 'cursor' | 'basis'> & {
    readonly basis: readonly (readonly [string, number])[];
  };
  const verdicts = unpackVerdicts(kept.verdicts);
  const basis = kept.basis.map(([w, n]) => ({ writer: toWriterId(hexToBytes(w)), n }));
  return { ...FRESH, ...kept, ...(verdicts ? { verdicts } : {}), cursor: Number(row?.cursor ?? 0), basis };
}

/** Writes where a reader stands. */
export function saveReaderState(db: StoreDb, feedRow: number, { cursor, basis, verdicts, ...rest }: ReaderState): void {
  const text = JSON.stringify({
    ...rest,
    verdicts: packVerdicts(verdicts),
    basis: basis.map((b) => [bytesToHex(b.writer), b.n]),
  });
  db.sql('UPDATE feed SET cursor = ?, state = ? WHERE id = ?').run(cursor, utf8ToBytes(text), feedRow);
}
