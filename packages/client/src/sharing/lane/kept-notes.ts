/**
 * What a grantee remembers of its writes by their numbers, so that it can be asked about any of them later: which number one was given
 * when another device had taken its first, and why one was refused.
 */

import { bytesToHex, bytesToUtf8, parseJson, type StreamId, utf8ToBytes } from '@sluice/core/base';
import type { Rejection } from '@sluice/core/grant';
import { getMeta, setMeta, type StoreDb } from '../../store/store-db.ts';

/** What is noted of a write under its number. */
type Note = { readonly moved: number; readonly refused: Rejection };

/** Writes that are remembered of each: the last ones. */
const MAX_NOTES = 10_000;
const MAX_BYTES = 1024 * 1024;

const nameOf = (kind: keyof Note, lane: StreamId): string => `lane-${kind}/${bytesToHex(lane)}`;

/** Reads the notes of a lane. */
export function loadNotes<K extends keyof Note>(db: StoreDb, kind: K, lane: StreamId): Map<number, Note[K]> {
  const kept = getMeta(db, nameOf(kind, lane));
  const parsed = kept ? parseJson(bytesToUtf8(kept), { maxBytes: MAX_BYTES, maxDepth: 3 }) : undefined;
  // Written by `saveNotes` alone.
  return new Map(parsed?.ok ? (parsed.value as unknown as readonly (readonly [number, Note[K]])[]) : []);
}

/** Keeps the notes of a lane; of too many the first ones go, here too. */
export function saveNotes<K extends keyof Note>(
  db: StoreDb,
  kind: K,
  lane: StreamId,
  notes: Map<number, Note[K]>,
): void {
  for (const n of notes.keys()) {
    if (notes.size <= MAX_NOTES) break;
    notes.delete(n);
  }
  setMeta(db, nameOf(kind, lane), utf8ToBytes(JSON.stringify([...notes])));
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
