/** The index of a collection, saved as one sealed snapshot so that the next opening need not read every record. */

import { bytesToUtf8, isJsonObject, type JsonValue, type Random, utf8ToBytes } from '@sluice/core/base';
import { type AeadKey, openAead, sealAead } from '@sluice/core/crypto';
import { isStoreFull } from '../errors.ts';
import type { IndexSnapshot } from './collection-index.ts';
import type { StoreDb } from './store-db.ts';

const SNAPSHOT_AAD = utf8ToBytes('sluice/snapshot/1');

/** Reads the snapshot of a stream; undefined when there is none that opens. */
export function loadSnapshot(db: StoreDb, streamRow: number, key: AeadKey): IndexSnapshot | undefined {
  const sealed = db.sql('SELECT sealed FROM snapshot WHERE stream = ?').get(streamRow)?.sealed as
    | Uint8Array
    | undefined;
  const plain = sealed && openAead(key, SNAPSHOT_AAD, sealed);
  if (!plain?.ok) return undefined;
  const value = JSON.parse(bytesToUtf8(plain.value)) as JsonValue;
  // It was sealed by this device, so it has the shape that was written.
  return isJsonObject(value) ? (value as unknown as IndexSnapshot) : undefined;
}

/** Saves a snapshot. */
export function storeSnapshot(
  db: StoreDb,
  streamRow: number,
  key: AeadKey,
  snapshot: IndexSnapshot,
  random: Random,
): void {
  const sealed = sealAead(key, SNAPSHOT_AAD, utf8ToBytes(JSON.stringify(snapshot)), random);
  try {
    db.sql(
      'INSERT INTO snapshot (stream, sealed) VALUES (?, ?) ON CONFLICT (stream) DO UPDATE SET sealed = excluded.sealed',
    ).run(streamRow, sealed);
  } catch (cause) {
    // It only makes the next opening faster.
    if (!isStoreFull(cause)) throw cause;
  }
}
