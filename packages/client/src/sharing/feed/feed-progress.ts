/** How far an agent has come with one feed, kept in the local store. Must not know filters or seals. */

import {
  bytesToHex,
  bytesToUtf8,
  hexToBytes,
  isJsonObject,
  parseJson,
  type StreamId,
  toWriterId,
  utf8ToBytes,
} from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import { type Basis, type LaneVerdicts, NO_VERDICTS } from '@sluice/core/grant';
import type { StoreDb } from '../../store/store-db.ts';
import { packVerdicts, unpackVerdicts } from '../lane/packed-verdicts.ts';

/** Where an agent stands with one feed. */
export type FeedProgress = {
  /** Local number up to which records were evaluated; 0 while the first evaluation goes on. */
  readonly ls: number;
  /** Whether the evaluation that goes on is of every record, and not only of those that an index says can match. */
  readonly whole: boolean;
  /** By which rule the feed was made. */
  readonly rule: string;
  /** Last number of this writer in the feed. */
  readonly n: number;
  /** The feed's head as this agent knows it. */
  readonly cursor: number;
  readonly basis: Basis;
  /** Whether the feed ends with a checkpoint, so that the grantee has been told even if there was nothing to tell. */
  readonly closed: boolean;
  /** The instant of the last checkpoint, of whichever device: the next one is not before it. */
  readonly asOfMs: number;
  /** The grant's key epoch, and the commitments of the keys after the first. */
  readonly epoch: number;
  readonly commitments: readonly Uint8Array[];
  /** When the key in force was taken, and how much was sealed under it since. */
  readonly keySinceMs: number;
  readonly keyEntries: number;
  /** Names the card of this device that stands in the feed; empty while none does. */
  readonly card: string;
  /** What the feed says of the grantee's writes. */
  readonly verdicts: LaneVerdicts;
};

const NOTHING: FeedProgress = {
  ls: 0,
  whole: false,
  rule: '',
  n: 0,
  cursor: 0,
  basis: [],
  closed: false,
  asOfMs: 0,
  epoch: 1,
  commitments: [],
  keySinceMs: 0,
  keyEntries: 0,
  card: '',
  verdicts: NO_VERDICTS,
};
/** A name for a device's card. */
export const cardName = (card: Uint8Array): string => bytesToHex(sha256(card).subarray(0, 8));

const LIMITS = { maxBytes: 1024 * 1024, maxDepth: 6 };

/** Reads the progress; undefined when this store has none of the feed. */
export function loadProgress(db: StoreDb, feed: StreamId): FeedProgress | undefined {
  const row = db.sql('SELECT cursor, state FROM feed WHERE stream = ?').get(feed);
  const parsed = row?.state ? parseJson(bytesToUtf8(row.state as Uint8Array), LIMITS) : undefined;
  if (!row || !parsed?.ok || !isJsonObject(parsed.value)) return undefined;
  // Written by `storeProgress` alone.
  const state = parsed.value as unknown as Omit<FeedProgress, 'cursor' | 'basis' | 'commitments'> & {
    readonly basis: readonly (readonly [string, number])[];
    readonly commitments: readonly string[];
  };
  const verdicts = unpackVerdicts(state.verdicts);
  const basis = state.basis.map(([writer, n]) => ({ writer: toWriterId(hexToBytes(writer)), n }));
  return {
    ...NOTHING,
    ...state,
    ...(verdicts ? { verdicts } : {}),
    basis,
    commitments: state.commitments.map(hexToBytes),
    cursor: Number(row.cursor),
  };
}

/** The progress of a feed that nothing was done for. */
export const noProgress = (): FeedProgress => NOTHING;

/** Writes the progress. */
export function storeProgress(
  db: StoreDb,
  feed: StreamId,
  { cursor, basis, commitments, verdicts, ...rest }: FeedProgress,
): void {
  const packed = {
    ...rest,
    verdicts: packVerdicts(verdicts),
    basis: basis.map((b) => [bytesToHex(b.writer), b.n]),
    commitments: commitments.map(bytesToHex),
  };
  db.sql(
    'INSERT INTO feed (stream, cursor, state) VALUES (?, ?, ?) ON CONFLICT (stream) DO UPDATE SET cursor = excluded.cursor, state = excluded.state',
  ).run(feed, cursor, utf8ToBytes(JSON.stringify(packed)));
}
