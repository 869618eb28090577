/** A new key epoch of a silo: the key goes to the sessions that are still let in, and what is written from then on is closed to the others. */

import { bytesToHex, equalBytes, type JsonObject, type RowId, toRowId } from '@sluice/core/base';
import { sealHpke, toEpochKey } from '@sluice/core/crypto';
import { FIRST_EPOCH, isLive } from '@sluice/core/stream';
import type { OpenAccount } from '../account/account.ts';
import { keepEpochKey } from '../account/epochs.ts';
import { unpackBytes } from '../account/keychain.ts';
import type { SpaceEngine } from '../space/space-engine.ts';
import { EPOCH_INFO } from './app-session.ts';

const SYNC_MS = 30_000;

/** The row of a session item. */
export const rowOf = (item: JsonObject): RowId => toRowId(unpackBytes(item.row));

/**
 * Starts an epoch whose key is in force when this resolves. The rows that end go before: what is written from here on, an ended session
 * cannot open even if a node still served it. Another device that starts one at the same moment may come first; then this starts the next.
 *
 * Errors: OFFLINE, NODE_*.
 */
export async function startEpoch({ platform, keychain, home }: OpenAccount, engine: SpaceEngine): Promise<void> {
  const { space } = engine.keys;
  for (;;) {
    const key = toEpochKey(platform.random(32));
    const commitment = keepEpochKey(keychain, space, key);
    // Sessions write under the new key as soon as they see it, so the owner's other devices must be able to get it before.
    home.nudge();
    await home.synced(SYNC_MS);
    const epoch = Math.max(FIRST_EPOCH, engine.access.epoch) + 1;
    const keys = await Promise.all(
      liveSessions().map(async (item) => ({
        row: rowOf(item),
        sealed: await sealHpke(unpackBytes(item.hpkeKey), EPOCH_INFO, space, key),
      })),
    );
    await engine.control([{ public: { type: 'epoch', epoch, commitment, keys }, sealed: null }]);
    const inForce = engine.access.epochs.get(epoch);
    if (!inForce || !equalBytes(inForce.commitment, commitment)) continue;
    engine.addEpochs(new Map([[epoch, key]]));
    return;
  }

  /** What the keychain knows of the sessions that the space's rows still let in. */
  function liveSessions(): JsonObject[] {
    const nowMs = platform.clock.nowMs();
    const items = new Map(keychain.list('session').map(({ item }) => [bytesToHex(rowOf(item)), item]));
    return [...engine.access.rows.values()].flatMap((row) => {
      const item = row.role === 'session' && isLive(row, nowMs) ? items.get(bytesToHex(row.id)) : undefined;
      return item ? [item] : [];
    });
  }
}
