import { createHmac, hkdfSync } from 'node:crypto';
import { toDid, toSpaceId } from '@sluice/core/base';
import { toAccountRoot, toEpochKey, toTagSecret } from '@sluice/core/crypto';
import { describe, expect, it } from 'vitest';
import { keychainKeys } from '../account/keychain.ts';
import { collectionKeys } from './space-keys.ts';

const fill = (byte: number): Uint8Array<ArrayBuffer> => new Uint8Array(32).fill(byte);
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
const derive = (parent: Uint8Array, label: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(hkdfSync('sha256', parent, new Uint8Array(0), `sluice/${label}`, 32));
const streamOf = (secret: Uint8Array, name: string): string =>
  `01${createHmac('sha256', secret).update(`stream/${name}`).digest('hex').slice(0, 30)}`;

describe('what a collection is sealed and named with', () => {
  const epochs = new Map([
    [1, toEpochKey(fill(4))],
    [2, toEpochKey(fill(5))],
  ]);
  const spaceKeys = {
    space: toSpaceId(fill(1)),
    node: { url: 'https://node.example', did: toDid('did:web:node.example') },
    genesis: fill(2),
    tagSecret: toTagSecret(fill(3)),
    epochs,
  };

  it('[CON-9] an epoch counts for sealing once it is announced', () => {
    let announced = 0;
    const keys = collectionKeys(spaceKeys, 'contact', () => announced);
    expect(keys.epoch()).toBe(1);
    announced = 2;
    expect(keys.epoch()).toBe(2);
    // Another device announced the third; its key has not come yet.
    announced = 3;
    expect(keys.epoch()).toBe(2);
  });

  it('[ENT-6] [CRY-13] follows from the tag secret and the epoch keys of the space', () => {
    const keys = collectionKeys(spaceKeys, 'contact', () => 2);
    expect(hex(keys.stream)).toBe(streamOf(fill(3), 'contact'));
    expect(hex(keys.tagKey)).toBe(hex(derive(fill(3), `stream-tag/${hex(keys.stream)}`)));
    expect(keys.epoch()).toBe(2);
    expect([1, 2, 3].map((epoch) => hex(keys.keyOf(epoch)))).toEqual([
      hex(derive(fill(4), 'collection/contact')),
      hex(derive(fill(5), 'collection/contact')),
      '',
    ]);
  });

  it('[ENT-6] [CRY-13] follows from the account root alone for the keychain', () => {
    let announced = 0;
    const keys = keychainKeys(toAccountRoot(fill(6)), () => announced);
    const secret = derive(fill(6), 'keychain-tags');
    expect(hex(keys.stream)).toBe(streamOf(secret, 'keychain'));
    expect(hex(keys.tagKey)).toBe(hex(derive(secret, `stream-tag/${hex(keys.stream)}`)));
    const key = hex(derive(fill(6), 'keychain'));
    expect([keys.epoch(), hex(keys.keyOf(1)), hex(keys.keyOf(2))]).toEqual([1, key, key]);
    announced = 3;
    expect(keys.epoch()).toBe(3);
  });
});
