import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { base64urlToBytes, createSystemClock, ok, systemRandom, toDid } from '@sluice/core/base';
import { createSigningKey } from '@sluice/core/crypto';
import { verifyRequest } from '@sluice/core/identity';
import { decodeCbor, encodePushAnswer } from '@sluice/core/wire';
import { createAccount, createContext, openAccount, restoreAccount, type Platform } from '@sluice/client';
import { expect, it } from 'vitest';
import { openNodeStore } from '../../client/src/node/node-store.ts';
import { createService } from '../../node/src/service.ts';
import { createLiveConnection } from '../../node/src/live/live-connection.ts';
import { openSqliteStorage } from '../../node/src/storage/sqlite/sqlite-storage.ts';

it('two devices converge', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-'));
  const storage = openSqliteStorage({ path: join(dir, 'node.db') });
  const clock = createSystemClock();
  const did = toDid('did:web:node.sluice.test');
  const service = createService({ storage, clock, random: systemRandom, did, policy: { type: 'open' } });
  const boxes = new Map<string, Uint8Array>();
  const platform: Platform = {
    clock, random: systemRandom,
    fetchText: async () => ({ ok: false, error: { type: 'unreachable' } }),
    fetchBytes: async (url, r) => {
      const v = await verifyRequest({ method: r.method ?? 'GET', url: url.href, headers: r.headers ?? {}, ...(r.body ? { body: r.body } : {}), nowMs: clock.nowMs() });
      if (!v.ok) throw new Error(v.error.type);
      if (url.pathname === '/v1/spaces') {
        const d = decodeCbor(r.body as Uint8Array, { maxBytes: 1e6, maxDepth: 16 });
        if (!d.ok) throw new Error('x');
        const [g, p] = d.value as unknown as Uint8Array[];
        const a = await service.createSpace(g as Uint8Array, p as Uint8Array, v.value.publicKey);
        if (!a.ok) throw new Error(a.code);
        return ok({ status: 200, headers: {}, body: encodePushAnswer(a.value) });
      }
      if (url.pathname.startsWith('/v1/recovery/')) { if (r.method === 'PUT') boxes.set(url.pathname, r.body as Uint8Array); return ok({ status: 200, headers: {}, body: boxes.get(url.pathname) ?? new Uint8Array() }); }
      return ok({ status: 200, headers: {}, body: new Uint8Array() });
    },
    openSocket: (_url, ev) => {
      let closed = false;
      const c: { conn?: ReturnType<typeof createLiveConnection> } = {};
      setImmediate(() => { ev.onOpen(); c.conn = createLiveConnection({ send: (f) => { setImmediate(() => { if (!closed) ev.onMessage(f); }); }, close: () => { closed = true; setImmediate(ev.onClose); } }, { service, did, clock, random: systemRandom }); });
      return { send: (b) => { setImmediate(() => c.conn?.receive(b)); }, close: () => { closed = true; c.conn?.closed(); } };
    },
  };
  const argon2 = { memoryKiB: 1024, passes: 1, lanes: 1 };
  const { account, phrase } = await createAccount({ platform, store: openNodeStore(join(dir, 'a')), node: 'https://node.sluice.test', passphrase: 'x', argon2 });
  account.onAlarm((a) => { throw new Error(JSON.stringify(a)); });
  account.home.start();
  await account.synced();
  const loader = { load: async () => ({ ok: false as const, error: { type: 'not-found' } }) };
  const ctx = createContext('Verida: Vault', account.did, account.home, platform, loader);
  const db = await ctx.openDatabase('notes');
  const t = performance.now();
  await db.saveMany(Array.from({ length: 10000 }, (_, i) => ({ _id: `n${i}`, text: 'x'.repeat(900), i })));
  console.log('saveMany', performance.now() - t);
  await account.synced();
  console.log('synced', performance.now() - t);
  const b = await restoreAccount({ platform, store: openNodeStore(join(dir, 'b')), node: 'https://node.sluice.test', passphrase: 'y', argon2, phrase });
  b.onAlarm((a) => { throw new Error(JSON.stringify(a)); });
  const t2 = performance.now();
  b.home.start();
  await b.synced();
  console.log('b synced', performance.now() - t2);
  const dbB = await createContext('Verida: Vault', b.did, b.home, platform, loader).openDatabase('notes');
  expect((await dbB.get('n9999'))?.i).toBe(9999);
  expect(await dbB.count()).toBe(10000);
  console.log('b count', performance.now() - t2);
  const seen: unknown[] = [];
  const got = new Promise<void>((resolve) => db.changes((c) => { seen.push(c); resolve(); }));
  const doc = await dbB.get('n1');
  await dbB.save({ ...doc, text: 'changed' });
  await got;
  expect((await db.get('n1'))?.text).toBe('changed');
  expect((await db.get('n1'))?._rev).toBe((await dbB.get('n1'))?._rev);
  await account.close(); await b.close();
  const again = await openAccount({ platform, store: openNodeStore(join(dir, 'a')), passphrase: 'x', argon2 });
  const dbA = await createContext('Verida: Vault', again.did, again.home, platform, loader).openDatabase('notes');
  expect((await dbA.get('n1'))?.text).toBe('changed');
  await again.close();
  await storage.close();
  rmSync(dir, { recursive: true });
  void createSigningKey; void base64urlToBytes;
});
