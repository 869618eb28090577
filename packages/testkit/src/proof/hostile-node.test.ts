/** A node that lies: one test for each thing that is caught. The second device of an owner is the reader. */

import { equalBytes } from '@sluice/core/base';
import type { Account } from '@sluice/client';
import type { Page } from '@sluice/core/wire';
import type { PageQuery, Storage } from '@sluice/node';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

type Lie = (page: Page, query: PageQuery) => Page;

describe('a device against a hostile node', () => {
  let net: TestNetwork;
  let lie: Lie | undefined;
  const wrapStorage = (storage: Storage): Storage => ({
    ...storage,
    readPage: (query) => {
      const page = storage.readPage(query);
      return lie && query.log.type === 'own' ? lie(page, query) : page;
    },
  });

  afterEach(async () => {
    lie = undefined;
    await net.close();
  });

  /** Two devices of one owner in step, then a write by the first that only a lying node passes on. */
  const play = async (
    dishonest: Lie,
    write: (laptop: Account) => Promise<unknown> = save,
  ): Promise<{ alarm: unknown; phone: Account; owner: Persona }> => {
    net = await createTestNetwork({ wrapStorage });
    const owner = await net.person('owner');
    const notes = await owner.account.vault.openDatabase('notes');
    await notes.saveMany([
      { _id: 'a', text: 'first' },
      { _id: 'b', text: 'second' },
    ]);
    await owner.account.synced();
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    await owner.account.synced();
    let alarm: unknown;
    phone.open.onAlarm((a) => {
      alarm ??= a;
    });
    lie = dishonest;
    await write(owner.account);
    await until(() => alarm !== undefined);
    return { alarm, phone, owner };
  };
  const save = async (account: Account): Promise<unknown> =>
    (await account.vault.openDatabase('notes')).save({ _id: 'c', text: 'third' });
  const saveTwice = async (account: Account): Promise<void> => {
    const notes = await account.vault.openDatabase('notes');
    await notes.saveMany([
      { _id: 'c', text: 'third' },
      { _id: 'd', text: 'fourth' },
    ]);
  };
  const notOf = async (phone: Account, id: string): Promise<unknown> =>
    (await phone.vault.openDatabase('notes')).get(id);
  const flip = (bytes: Uint8Array): Uint8Array => bytes.map((b, i) => (i === bytes.length - 1 ? b ^ 1 : b));

  it('[PULL-4] a changed byte', async () => {
    const { alarm, phone } = await play((page) => ({
      ...page,
      entries: page.entries.map((e) => ({ ...e, body: e.body && flip(e.body) })),
    }));
    expect(alarm).toEqual({ type: 'tampered', what: 'changed-entry' });
    expect(await notOf(phone, 'c')).toBeUndefined();
  });

  it('[PULL-4] two records swapped', async () => {
    const { alarm, phone } = await play((page) => {
      const [x, y] = page.entries;
      return x && y
        ? {
            ...page,
            entries: [
              { ...x, body: y.body },
              { ...y, body: x.body },
            ],
          }
        : page;
    }, saveTwice);
    expect(alarm).toEqual({ type: 'tampered', what: 'changed-entry' });
    expect(await notOf(phone, 'c')).toBeUndefined();
  });

  it('[PULL-5] an entry served in another stream', async () => {
    const { alarm } = await play((page) => ({
      ...page,
      entries: page.entries.map((e) => ({ ...e, stream: new Uint8Array(16).fill(1) as typeof e.stream })),
    }));
    expect(alarm).toEqual({ type: 'tampered', what: 'swapped' });
  });

  it('[PULL-6] an entry left out of its seal', async () => {
    const { alarm, phone } = await play((page) => ({ ...page, entries: page.entries.slice(1) }), saveTwice);
    expect(alarm).toEqual({ type: 'tampered', what: 'gap' });
    expect(await notOf(phone, 'd')).toBeUndefined();
  });

  it('[PULL-6] a whole seal left out', async () => {
    let calls = 0;
    const { alarm } = await play(
      (page) => (page.seals.length > 0 && calls++ === 0 ? { ...page, entries: [], seals: [] } : page),
      async (account) => {
        await save(account);
        await account.synced();
        await (await account.vault.openDatabase('notes')).save({ _id: 'e', text: 'fifth' });
      },
    );
    expect(alarm).toEqual({ type: 'tampered', what: 'gap' });
  });

  it('[PULL-7] another history under the same numbers', async () => {
    net = await createTestNetwork({ wrapStorage });
    const owner = await net.person('owner');
    await save(owner.account);
    await owner.account.synced();
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    let alarm: unknown;
    phone.open.onAlarm((a) => {
      alarm ??= a;
    });
    lie = (page) => (page.whole ? { ...page, vector: page.vector.map((v) => ({ ...v, hash: flip(v.hash) })) } : page);
    await phone.synced().catch(() => undefined);
    await until(() => alarm !== undefined);
    expect(alarm).toEqual({ type: 'tampered', what: 'fork' });
  });

  it('[PULL-8] a node that has gone back behind what this device saw', async () => {
    net = await createTestNetwork({ wrapStorage });
    const owner = await net.person('owner');
    await save(owner.account);
    await owner.account.synced();
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    let alarm: unknown;
    phone.open.onAlarm((a) => {
      alarm ??= a;
    });
    lie = (page) =>
      page.whole ? { ...page, vector: page.vector.map((v) => ({ ...v, n: Math.max(0, v.n - 1) })) } : page;
    await phone.synced().catch(() => undefined);
    await until(() => alarm !== undefined);
    expect(alarm).toEqual({ type: 'tampered', what: 'rollback' });
  });

  it('[PULL-9] a seal by a key that no row names', async () => {
    const { alarm } = await play((page) => ({ ...page, seals: page.seals.map((seal) => flipWriter(seal)) }));
    expect(alarm).toMatchObject({ type: 'tampered' });
    expect(['foreign-writer', 'bad-seal']).toContain((alarm as { what: string }).what);
  });
});

/** The seal with the writer's id changed inside its signed part. */
function flipWriter(seal: Uint8Array): Uint8Array {
  const copy = seal.slice();
  // Version, stream (16) and then the writer: its first byte lies after two CBOR heads and the array heads.
  const at = 3 + 2 + 1 + 17 + 2;
  copy[at] = (copy[at] as number) ^ 0xff;
  return equalBytes(copy, seal) ? seal : copy;
}
