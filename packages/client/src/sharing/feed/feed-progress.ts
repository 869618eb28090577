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
import type { Basis } from '@sluice/core/grant';
import type { StoreDb } from '../../store/store-db.ts';

/** Where an agent stands with one feed. */
export type FeedProgress = {
  /** Local number up to which records were evaluated; 0 while the first evaluation goes on. */
  readonly ls: number;
  /** Last number of this writer in the feed. */
  readonly n: number;
  /** The feed's head as this agent knows it. */
  readonly cursor: number;
  readonly basis: Basis;
  /** Whether a checkpoint stands in the feed, so that the grantee has been told even if there was nothing to tell. */
  readonly closed: boolean;
  /** The instant of the last checkpoint, of whichever device: the next one is not before it. */
  readonly asOfMs: number;
};

const NOTHING: FeedProgress = { ls: 0, n: 0, cursor: 0, basis: [], closed: false, asOfMs: 0 };
const LIMITS = { maxBytes: 1024 * 1024, maxDepth: 4 };

/** Reads the progress; undefined when this store has none of the feed. */
export function loadProgress(db: StoreDb, feed: StreamId): FeedProgress | undefined {
  const row = db.sql('SELECT cursor, state FROM feed WHERE stream = ?').get(feed);
  const parsed = row?.state ? parseJson(bytesToUtf8(row.state as Uint8Array), LIMITS) : undefined;
  if (!row || !parsed?.ok || !isJsonObject(parsed.value)) return undefined;
  const state = parsed.value as unknown as Omit<FeedProgress, 'cursor' | 'basis'> & {
    readonly basis: readonly (readonly [string, number])[];
  };
  const basis = state.basis.map(([writer, n]) => ({ writer: toWriterId(hexToBytes(writer)), n }));
  return { ...NOTHING, ...state, basis, cursor: Number(row.cursor) };
}

/** The progress of a feed that nothing was done for. */
export const noProgress = (): FeedProgress => NOTHING;

/** Writes the progress. */
export function storeProgress(db: StoreDb, feed: StreamId, { cursor, basis, ...rest }: FeedProgress): void {
  const state = utf8ToBytes(JSON.stringify({ ...rest, basis: basis.map((b) => [bytesToHex(b.writer), b.n]) }));
  db.sql(
    'INSERT INTO feed (stream, cursor, state) VALUES (?, ?, ?) ON CONFLICT (stream) DO UPDATE SET cursor = excluded.cursor, state = excluded.state',
  ).run(feed, cursor, state);
}
