/** The activity log names everybody and everything an owner shares: none of it may be in clear on a disk or at the node. */

import { createActivityLog } from '@sluice/client';
import { systemRandom, toDid } from '@sluice/core/base';
import { describe, expect, it } from 'vitest';
import { scanForWords } from '../canary-scan.ts';
import { createTestNetwork } from '../test-network.ts';

const GRANTEE = toDid('did:web:marzipan.example');
const GRANT = 'c0ffee'.repeat(5).concat('42');
const CANARIES = ['marzipan', GRANT, 'walnut-purpose', 'quince-record', 'hazel-schema', 'P77Y77M'];
const NODE_FILES = /^node\.db(-wal|-shm)?$/;

describe('the activity log on disk', () => {
  it('[ACT-7] neither the node’s files nor the owner’s store hold a word, an id or a DID of it', async () => {
    const net = await createTestNetwork();
    try {
      const owner = await net.person('owner');
      const { home } = owner.account.open;
      const log = createActivityLog({ engine: home, clock: net.clock, random: systemRandom });
      const terms = {
        schema: 'https://hazel-schema.example',
        schemaHash: 'ab'.repeat(32),
        access: 'read',
        filter: {},
        duration: 'standing',
      } as const;
      const of = { grantId: GRANT, grantee: GRANTEE };
      log.note({ type: 'request', requestId: 'r', grantee: GRANTEE, purpose: 'walnut-purpose' });
      log.note({ type: 'consent', requestId: 'r', grantee: GRANTEE, grants: [{ grantId: GRANT, terms }] });
      const puts = Array.from({ length: 500 }, (_, i) => ({ id: `quince-record-${i}` }));
      log.note({ type: 'release', releases: [{ ...of, puts, deletes: ['quince-record-x'], first: 1, last: 501 }] });
      log.note({ type: 'revoke', ...of });
      log.keep('P77Y77M');
      // What is listed comes from the index, whose snapshot is written when the account closes.
      expect(JSON.stringify([log.list({ grantId: GRANT }), log.kept()])).toContain('quince-record-499');
      await owner.account.open.synced();
      await owner.account.close();
      const node = scanForWords(net.directory, CANARIES, (path) => NODE_FILES.test(path));
      const store = scanForWords(owner.store, CANARIES);
      expect([node.hits, store.hits]).toEqual([[], []]);
      expect(Math.min(node.bytes, store.bytes)).toBeGreaterThan(20_000);
    } finally {
      await net.close();
    }
  });
});
