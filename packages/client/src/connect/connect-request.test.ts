import { bytesToBase64url, type JsonObject, systemRandom, toDid } from '@sluice/core/base';
import { createSigningKey, keyCommitment, toEpochKey, toTagSecret } from '@sluice/core/crypto';
import { createGenesis } from '@sluice/core/stream';
import { describe, expect, it } from 'vitest';
import type { SpaceKeys } from '../space/space-keys.ts';
import { jsonToKeys, keysToJson } from './connect-request.ts';

describe('the keys that a session is given', () => {
  const node = { url: 'https://node.example', did: toDid('did:web:node.example') };
  const root = createSigningKey(systemRandom);
  const genesis = createGenesis(root, node.did, systemRandom);
  const keys: SpaceKeys = {
    space: genesis.space,
    genesis: genesis.signed,
    node,
    tagSecret: toTagSecret(systemRandom(32)),
    epochs: new Map([
      [1, toEpochKey(systemRandom(32))],
      [2, toEpochKey(systemRandom(32))],
    ]),
    root,
  };

  it('are read as they were written, without what controls the space', () => {
    const { root: _, ...given } = keys;
    expect(jsonToKeys(keysToJson(keys))).toEqual(given);
  });

  it('[CON-14] are refused when one of them is not the key committed to', () => {
    const json = keysToJson(keys);
    const [first, second] = Object.values(json.epochs as JsonObject) as JsonObject[];
    const swapped = { 1: { ...first, commitment: second?.commitment ?? '' }, 2: second ?? {} };
    expect(() => jsonToKeys({ ...json, epochs: swapped } as JsonObject)).toThrow(TypeError);
    const bare = { 1: bytesToBase64url(systemRandom(32)) };
    expect(() => jsonToKeys({ ...json, epochs: bare })).toThrow(TypeError);
    const key = systemRandom(32);
    const fair = { 1: { key: bytesToBase64url(key), commitment: bytesToBase64url(keyCommitment(key)) } };
    expect(jsonToKeys({ ...json, epochs: fair }).epochs.size).toBe(1);
  });
});
