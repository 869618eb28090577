/** Which numbers writes of a lane were given first, and which they have now: kept, so that a write can be asked about by either. */

import { bytesToHex, bytesToUtf8, parseJson, type StreamId, utf8ToBytes } from '@sluice/core/base';
import { getMeta, setMeta, type StoreDb } from '../../store/store-db.ts';

/** Moves that are remembered: the last ones. */
const MAX_MOVES = 10_000;

const nameOf = (lane: StreamId): string => `lane-moved/${bytesToHex(lane)}`;

/** Reads the moves of a lane. */
export function loadMoves(db: StoreDb, lane: StreamId): Map<number, number> {
  const kept = getMeta(db, nameOf(lane));
  const parsed = kept ? parseJson(bytesToUtf8(kept), { maxBytes: 1024 * 1024, maxDepth: 3 }) : undefined;
  return new Map(parsed?.ok ? (parsed.value as unknown as readonly (readonly [number, number])[]) : []);
}

/** Keeps the moves of a lane. */
export function saveMoves(db: StoreDb, lane: StreamId, moves: ReadonlyMap<number, number>): void {
  setMeta(db, nameOf(lane), utf8ToBytes(JSON.stringify([...moves].slice(-MAX_MOVES))));
}

/**
 * Follows writes to the numbers they now have, by the numbers they had. Each is kept under the number that it was given first: that may
 * be one which another write had in between, so that moves are never walked one after the other.
 */
export function followMoves(moved: Map<number, number>, moves: ReadonlyMap<number, number>): void {
  const current = new Set(moved.values());
  for (const [first, now] of moved) moved.set(first, moves.get(now) ?? now);
  for (const [n, now] of moves) if (!current.has(n)) moved.set(n, now);
}
