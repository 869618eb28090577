/** A node that lies: one test for each thing that is caught. The second device of an owner is the reader. */

import { type JsonObject, systemRandom } from '@sluice/core/base';
import type { Account } from '@sluice/client';
import { createSigningKey, type SigningKey, writerId } from '@sluice/core/crypto';
import { createSeal, sealHash } from '@sluice/core/stream';
import { decodeHeader, encodeHeader, type Page, parseSeal } from '@sluice/core/wire';
import type { PageQuery, Storage } from '@sluice/node';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

type Lie = (page: Page, query: PageQuery, laptop: SigningKey) => Page;

describe('a device against a hostile node', () => {
  let net: TestNetwork;
  let lie: ((page: Page, query: PageQuery) => Page) | undefined;
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
    lie = (page, query) => dishonest(page, query, owner.account.open.device);
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
  const textOf = async (phone: Account): Promise<unknown> =>
    ((await notOf(phone, 'a')) as JsonObject | undefined)?.text;
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

  it('[PULL-7] an end stated with another hash', async () => {
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

  it('[PULL-7] other records under numbers that were seen, signed by the same device', async () => {
    const { alarm, phone } = await play((page, _, laptop) => {
      // As a copy of the device's store would have written them, under the number before.
      const other = resign(page, laptop, { shift: -1 });
      return { ...page, entries: other.entries, seals: other.seals };
    });
    expect(alarm).toEqual({ type: 'tampered', what: 'fork' });
    expect(await notOf(phone, 'c')).toBeUndefined();
  });

  it('[PULL-7] the next records of another history, signed by the same device', async () => {
    const { alarm, phone } = await play((page, _, laptop) => {
      const hidden = resign(page, laptop, { shift: -1 }).seals[0];
      return hidden ? { ...page, ...resign(page, laptop, { previous: sealHash(hidden) }) } : page;
    });
    expect(alarm).toEqual({ type: 'tampered', what: 'fork' });
    expect(await notOf(phone, 'c')).toBeUndefined();
  });

  it('[PULL-7] what was served before, served again and again, changes nothing and raises nothing', async () => {
    net = await createTestNetwork({ wrapStorage });
    const owner = await net.person('owner');
    const notes = await owner.account.vault.openDatabase('notes');
    await notes.save({ _id: 'a', text: 'first' });
    await owner.account.synced();
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    await owner.account.synced();
    const alarms: unknown[] = [];
    phone.open.onAlarm((alarm) => alarms.push(alarm));
    const served: Page[] = [];
    let replayed = 0;
    lie = (page) => {
      if (page.entries.length === 0) return page;
      const before = [...served];
      served.push(page);
      replayed += before.length;
      return {
        ...page,
        entries: [...before.flatMap((old) => old.entries), ...page.entries],
        seals: [...before.flatMap((old) => old.seals), ...page.seals],
      };
    };
    for (const text of ['second', 'third', 'fourth']) {
      await notes.save({ ...(await notes.get('a')), text });
      await owner.account.synced();
      await until(async () => alarms.length > 0 || (await textOf(phone)) === text);
    }
    expect(replayed).toBeGreaterThan(2);
    expect(alarms).toEqual([]);
    expect(await textOf(phone)).toBe('fourth');
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

  it('[PULL-9] a valid seal by a key that no row names', async () => {
    const stranger = createSigningKey(systemRandom);
    const { alarm, phone } = await play((page) => ({ ...page, ...resign(page, stranger) }));
    expect(alarm).toEqual({ type: 'tampered', what: 'foreign-writer' });
    expect(await notOf(phone, 'c')).toBeUndefined();
  });

  it('[SEAL-2] a seal whose signature is broken', async () => {
    const { alarm, phone } = await play((page) => ({ ...page, seals: page.seals.map(flip) }));
    expect(alarm).toEqual({ type: 'tampered', what: 'bad-seal' });
    expect(await notOf(phone, 'c')).toBeUndefined();
  });
});

/** The page's entries and seals as `key` would have signed them: shifted to other numbers, or after another seal. */
function resign(
  page: Page,
  key: SigningKey,
  { shift = 0, previous }: { readonly shift?: number; readonly previous?: Uint8Array } = {},
): Pick<Page, 'entries' | 'seals'> {
  const entries = page.entries.map((entry) => {
    const header = decodeHeader(entry.header);
    if (!header.ok) throw new Error('an entry without a header');
    const { n } = header.value;
    return { ...entry, header: encodeHeader({ ...header.value, writer: writerId(key.publicKey), n: n + shift }) };
  });
  let at = 0;
  const seals = page.seals.map((bytes) => {
    const seal = parseSeal(bytes);
    if (!seal.ok) throw new Error('a seal that is none');
    const { stream, firstN, count } = seal.value;
    const mine = entries.slice(at, at + count).map(({ header, body }) => ({ header, body: body as Uint8Array }));
    at += count;
    return createSeal(key, stream, firstN + shift, mine, previous ?? seal.value.previous);
  });
  return { entries, seals };
}
