/**
 * Key epochs of an account's spaces. Each key is a keychain item of its own, named by its commitment; the control log says which of them
 * counts, so two devices that start an epoch at once lose nothing.
 */

import { bytesToHex, type SpaceId } from '@sluice/core/base';
import { checkCommitment, type EpochKey, keyCommitment, toEpochKey } from '@sluice/core/crypto';
import type { SpaceEngine } from '../space/space-engine.ts';
import { type Keychain, packBytes, unpackBytes } from './keychain.ts';

const itemId = (space: SpaceId, commitment: Uint8Array): string => `${bytesToHex(space)}/${bytesToHex(commitment)}`;

/** Keeps a key before the control entry that names it is made. Returns its commitment. */
export function keepEpochKey(keychain: Keychain, space: SpaceId, key: EpochKey): Uint8Array {
  const commitment = keyCommitment(key);
  keychain.put('epoch', itemId(space, commitment), { space: packBytes(space), key: packBytes(key) });
  return commitment;
}

/** Takes up the key of every epoch that the space's control log names, now and as both arrive. */
export function followEpochs(engine: SpaceEngine, keychain: Keychain): void {
  const { keys, access } = engine;
  const take = (): void => {
    for (const [epoch, { commitment }] of access.epochs) {
      const item = keys.epochs.has(epoch) ? undefined : keychain.get('epoch', itemId(keys.space, commitment));
      const key = item && unpackBytes(item.key);
      if (key && checkCommitment(key, commitment)) engine.addEpochs(new Map([[epoch, toEpochKey(key)]]));
    }
  };
  take();
  engine.onControl(take);
  keychain.onArrival('epoch', take);
}
