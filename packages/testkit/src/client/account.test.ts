import { Account, type Platform, SluiceError } from '@sluice/client';
import { openNodeStore } from '@sluice/client/node';
import { bytesToHex } from '@sluice/core/base';
import { createRecoveryPhrase } from '@sluice/core/crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, NODE_ORIGIN, TEST_ARGON2, type TestNetwork } from '../test-network.ts';

describe('an account on a device', () => {
  let net: TestNetwork;
  beforeEach(async () => {
    net = await createTestNetwork();
  });
  afterEach(() => net.close());

  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (cause: unknown) => (cause instanceof SluiceError ? cause.code : String(cause)),
    );
  const options = (directory: string, platform: Platform = net.platform) => ({
    platform,
    store: openNodeStore(join(net.directory, directory)),
    node: NODE_ORIGIN,
    passphrase: 'another passphrase',
    argon2: TEST_ARGON2,
  });

  it('[ACC-1] twelve words and the node’s address bring every space and record back', async () => {
    const ada = await net.person('ada');
    await (await ada.account.vault.openDatastore('note')).save({ _id: 'n', name: 'n', content: 'from the vault' });
    const work = await ada.account.context('Work', { create: true });
    await (await work?.openDatabase('drafts'))?.save({ _id: 'd', text: 'from another space' });
    await ada.account.synced();
    await ada.account.close();

    const again = await net.restore(ada, 'phone');
    await again.synced();
    expect(again.did).toBe(ada.account.did);
    expect(await (await again.vault.openDatastore('note')).get('n')).toMatchObject({ content: 'from the vault' });
    const space = await again.context('Work');
    await space?.synced();
    expect(await (await space?.openDatabase('drafts'))?.get('d')).toMatchObject({ text: 'from another space' });
  });

  it('[ACC-1] wrong words are told apart from words of no account', async () => {
    const random = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i * 7 + 1);
    const phrase = createRecoveryPhrase(random);
    const words = phrase.split(' ');
    const swapped = [words[1], words[0], ...words.slice(2)].join(' ');
    const first = options('empty');
    expect(await codeOf(Account.restore({ ...first, phrase: swapped }))).toBe('BAD_PHRASE');
    expect(await codeOf(Account.restore({ ...first, phrase: 'twelve words they are not' }))).toBe('BAD_PHRASE');
    expect(await codeOf(Account.restore({ ...first, phrase }))).toBe('NOT_RECOVERABLE');
    first.store.release();
  });

  it('[ACC-2] another passphrase opens nothing', async () => {
    const ada = await net.person('ada');
    await ada.account.close();
    const store = openNodeStore(ada.store);
    const wrong = { platform: net.platform, store, passphrase: 'test passphrasf', argon2: TEST_ARGON2 };
    expect(await codeOf(Account.open(wrong))).toBe('WRONG_PASSPHRASE');
    expect(await codeOf(Account.open({ ...wrong, passphrase: '' }))).toBe('WRONG_PASSPHRASE');
    store.db.close();
    store.release();
    const opened = await net.reopen(ada);
    expect(opened.did).toBe(ada.account.did);
  });

  it('[ACC-3] nothing is created or restored over an account', async () => {
    const ada = await net.person('ada');
    const ben = await net.person('ben');
    await ada.account.close();
    const store = openNodeStore(ada.store);
    const taken = { ...options('other'), store };
    expect(await codeOf(Account.create(taken))).toBe('STORE_IN_USE');
    expect(await codeOf(Account.restore({ ...taken, phrase: ben.phrase }))).toBe('STORE_IN_USE');
    store.db.close();
    store.release();
    expect((await net.reopen(ada)).did).toBe(ada.account.did);
  });

  it('[ACC-4] a restore that broke off is begun again in the same store', async () => {
    const ada = await net.person('ada');
    await (await ada.account.vault.openDatastore('note')).save({ _id: 'n', name: 'n', content: 'kept' });
    await ada.account.synced();
    let sockets = 0;
    const flaky: Platform = {
      ...net.platform,
      openSocket: (url, events) => {
        // The first connection adds the device's row, the second brings the keychain.
        if (++sockets === 2) throw new Error('the process dies here');
        return net.platform.openSocket(url, events);
      },
    };
    const broken = options('phone', flaky);
    await expect(Account.restore({ ...broken, phrase: ada.phrase })).rejects.toThrow('dies');
    const account = await Account.restore({ ...broken, platform: net.platform, phrase: ada.phrase });
    await account.synced();
    expect(await (await account.vault.openDatastore('note')).get('n')).toMatchObject({ content: 'kept' });
    await account.close();
  });

  it('[ACC-5] a restored device is a writer of its own, and both devices reach each other', async () => {
    const ada = await net.person('ada');
    const phone = await net.restore(ada, 'phone');
    expect(bytesToHex(phone.open.device.publicKey)).not.toBe(bytesToHex(ada.account.open.device.publicKey));
    expect(bytesToHex(phone.open.card)).not.toBe(bytesToHex(ada.account.open.card));
    const here = await ada.account.vault.openDatabase('notes');
    const there = await phone.vault.openDatabase('notes');
    await here.save({ _id: 'a', text: 'laptop' });
    await there.save({ _id: 'b', text: 'phone' });
    await until(async () => (await there.get('a')) && (await here.get('b')));
    expect([(await there.get('a'))?.text, (await here.get('b'))?.text]).toEqual(['laptop', 'phone']);
  });
});
