import type { JsonObject } from '@sluice/core/base';
import { describe, expect, it } from 'vitest';
import type { Keychain } from '../account/keychain.ts';
import { createGrantFacts } from './grant-facts.ts';

const GRANT = 'ab'.repeat(16);

describe('facts of grants', () => {
  it('[GRANT-41] are written once each: what is known of a grant is not written over', () => {
    const written: [string, JsonObject][] = [];
    const keychain = {
      list: () => [{ id: `${GRANT}/accepted`, item: { at: 1 } }],
      put: (_: string, id: string, item: JsonObject) => void written.push([id, item]),
      onArrival: () => () => undefined,
      onRollback: () => undefined,
    } as Pick<Keychain, 'list' | 'put' | 'onArrival' | 'onRollback'> as Keychain;
    const facts = createGrantFacts(keychain);
    for (const at of [2, 3]) {
      facts.note(GRANT, 'accepted', { at });
      facts.note(GRANT, 'revoked', { at });
    }
    expect(written).toEqual([[`${GRANT}/revoked`, { at: 2 }]]);
    expect([facts.get(GRANT, 'accepted'), facts.get(GRANT, 'revoked')]).toEqual([{ at: 1 }, { at: 2 }]);
  });
});
