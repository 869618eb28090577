import { createSystemClock, systemRandom, toDid, toRowId, toStreamId } from '@sluice/core/base';
import { createSigningKey, type SigningKey, type VerifyKey } from '@sluice/core/crypto';
import { createCtlEntry, createGenesis, type CtlRow, ctlStreamId, entryHash, NO_ENTRY } from '@sluice/core/stream';
import { encodePush, type Entry } from '@sluice/core/wire';
import { expect, it } from 'vitest';
import { createService } from './service.ts';
import { openSqliteStorage } from './storage/sqlite/sqlite-storage.ts';

const DID = toDid('did:web:node.sluice.test');

it('[PUSH-15] a key that was shut out has the node check no signatures, and may still give up an expired row', async () => {
  const clock = createSystemClock();
  const storage = openSqliteStorage({ path: ':memory:' });
  const identity = { did: DID, key: createSigningKey(systemRandom) };
  const service = createService({ storage, clock, random: systemRandom, identity, policy: { type: 'open' } });
  const [root, revoked, expired] = [0, 1, 2].map(() => createSigningKey(systemRandom));
  if (!root || !revoked || !expired) throw new Error('no keys');
  const { signed, space } = createGenesis(root, DID, systemRandom);
  const rowOf = (key: VerifyKey, more: Partial<CtlRow>): CtlRow => ({
    ...{ type: 'row', id: toRowId(systemRandom(16)), key, role: 'grantee', status: 'active', expiresMs: 0, perDay: 0 },
    ...{ access: [{ target: toStreamId(Uint8Array.of(4, ...systemRandom(15))), verbs: 1 }], term: 0, statusMs: 0 },
    ...more,
  });
  const chain = (key: SigningKey) => {
    let [n, previous]: [number, Uint8Array] = [0, NO_ENTRY];
    return (row: CtlRow): Entry => {
      const at = { n: ++n, hlc: { ms: Math.trunc(clock.nowMs()), counter: n }, previous };
      const entry = createCtlEntry(key, ctlStreamId(space), at, row, null);
      previous = entryHash(entry);
      return entry;
    };
  };
  const byRoot = chain(root);
  const gone = rowOf(revoked.publicKey, { status: 'revoked' });
  const over = rowOf(expired.publicKey, { expiresMs: 1 });
  const first = [rowOf(root.publicKey, { role: 'admin', access: [] }), gone, over].map(byRoot);
  const created = await service.createSpace(signed, encodePush([{ type: 'ctl', entries: first }]), root.publicKey);
  expect(created.ok).toBe(true);

  const push = (key: SigningKey, entries: readonly Entry[]) =>
    service.push(space, key.publicKey, encodePush([{ type: 'ctl', entries }]));
  // Not one of them bears a signature: whoever looks says so.
  const unsigned = first.map(({ header, body }) => ({ header, body: body.with(-1, (body.at(-1) ?? 0) ^ 1) }));
  expect(await push(revoked, unsigned)).toEqual({ ok: false, code: 'REVOKED' });
  expect(await push(expired, unsigned)).toEqual({ ok: false, code: 'REVOKED' });
  expect(await push(root, unsigned)).toEqual({ ok: false, code: 'BAD_CTL' });
  expect(await push(expired, [chain(expired)({ ...over, status: 'revoked' })])).toMatchObject({ ok: true });
  await storage.close();
});
