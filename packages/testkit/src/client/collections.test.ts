import { type AppSession, type Database, Network, SluiceError, VaultAccount } from '@sluice/client';
import { openNodeStore } from '@sluice/client/node';
import type { JsonObject } from '@sluice/core/base';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeSchema } from '../schema-file.ts';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

describe('collections and their schemas', () => {
  let net: TestNetwork;
  let ada: Persona;
  beforeEach(async () => {
    net = await createTestNetwork();
    ada = await net.person('ada');
  });
  afterEach(() => net.close());

  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (cause: unknown) => (cause instanceof SluiceError ? cause.code : String(cause)),
    );
  const schemaFile = (name: string, body: JsonObject): string => writeSchema(net.directory, name, body);
  const boat = (host: string, more: JsonObject = {}): JsonObject => ({
    $id: `https://${host}/boat/schema.json`,
    title: 'Boat',
    database: { name: 'boats', indexes: { length: ['length'] } },
    properties: { length: { type: 'number' } },
    required: ['length'],
    ...more,
  });

  it('[DS-6] two schemas from elsewhere that claim one database keep their records apart', async () => {
    const here = await ada.account.vault.openDatastore(schemaFile('a', boat('harbour.example')));
    const there = await ada.account.vault.openDatastore(schemaFile('b', boat('other.example')));
    const plain = await ada.account.vault.openDatabase('boats');
    await here.save({ _id: 'x', length: 7 });
    await there.save({ _id: 'x', length: 8 });
    await plain.save({ _id: 'x', length: 'any' });
    expect([(await here.get('x'))?.length, (await there.get('x'))?.length, (await plain.get('x'))?.length]).toEqual([
      7,
      8,
      'any',
    ]);
    expect(await here.count()).toBe(1);
  });

  it('[DS-6] no name reaches the keychain or the inbox', async () => {
    const { keychain, home } = ada.account.open;
    const before = keychain.list('device').length;
    for (const name of ['keychain', 'inbox', 'schemas']) {
      const database = await ada.account.vault.openDatabase(name);
      await database.save({ _id: 'device/evil', name: 'evil' });
      expect(await database.getMany()).toHaveLength(1);
    }
    expect(keychain.list('device')).toHaveLength(before);
    expect(home.openCollections().get('inbox')?.get('device/evil')).toBeUndefined();
    const note = await ada.account.vault.openDatastore('note', { databaseName: 'keychain' });
    await note.save({ _id: 'device/evil', name: 'n', content: 'c' });
    expect(keychain.list('device')).toHaveLength(before);
    expect(await codeOf(ada.account.vault.openDatabase(''))).toBe('BAD_NAME');
    expect(await codeOf(ada.account.vault.openDatabase('a/b'))).toBe('BAD_NAME');
    expect(await codeOf(ada.account.vault.openDatastore('note', { databaseName: '#' }))).toBe('BAD_NAME');
  });

  it('[DS-7] another device opens a schema by its $id, without the file it came from', async () => {
    const boats = await ada.account.vault.openDatastore(schemaFile('a', boat('harbour.example')));
    await boats.save({ _id: 'x', length: 7 });
    await ada.account.synced();
    const phone = await net.restore(ada, 'phone');
    await phone.synced();
    const there = await phone.vault.openDatastore('https://harbour.example/boat/schema.json');
    expect(await there.get('x')).toMatchObject({ length: 7 });
    expect(await codeOf(there.save({ length: 'long' }))).toBe('INVALID_RECORD');
    expect(phone.vault.registry.collections()).toContainEqual({ name: 'boats', schema: there.schema?.id });
  });

  it('[DS-7] another body under a known $id is refused', async () => {
    await ada.account.vault.openDatastore(schemaFile('a', boat('harbour.example')));
    await ada.account.synced();
    const phone = await net.restore(ada, 'phone');
    await phone.synced();
    const changed = schemaFile('b', boat('harbour.example', { required: [] }));
    expect(await codeOf(phone.vault.openDatastore(changed))).toBe('BAD_SCHEMA');
    expect(await codeOf(phone.vault.openDatastore('https://nowhere.example/schema.json'))).toBe('UNKNOWN_SCHEMA');
  });

  it('[DS-8] a save waits for a node that is down, and the call says so', async () => {
    const notes = await ada.account.vault.openDatabase('notes');
    await ada.account.synced();
    await net.stopNode();
    await notes.save({ _id: 'a', text: 'offline' });
    expect(await notes.get('a')).toMatchObject({ text: 'offline' });
    expect(await codeOf(ada.account.vault.synced(50))).toBe('OFFLINE');
    await net.startNode();
    await ada.account.synced();
    const phone = await net.restore(ada, 'phone');
    await phone.synced();
    expect(await (await phone.vault.openDatabase('notes')).get('a')).toMatchObject({ text: 'offline' });
  });

  it('[DS-9] what two devices edited apart is the same on both when they meet', async () => {
    const phone = await net.restore(ada, 'phone');
    const here = await ada.account.vault.openDatastore('social/contact');
    const there = await phone.vault.openDatastore('social/contact');
    await here.save({ _id: 'ada', name: 'Ada', firstName: 'Ada', mobile: '1' });
    const read = (store: Database) => store.get('ada');
    await until(() => read(there));
    await net.stopNode();
    await here.save({ ...(await read(here)), mobile: '2' });
    await there.save({ ...(await read(there)), email: 'ada@example.org' });
    await here.save({ _id: 'only-here', name: 'Ben', firstName: 'Ben' });
    await there.delete('nothing');
    await net.startNode();
    await Promise.all([ada.account.synced(), phone.synced()]);
    await until(async () => (await read(here))?._rev === (await read(there))?._rev);
    expect(await read(here)).toEqual(await read(there));
    expect(await read(here)).toMatchObject({ mobile: '2', email: 'ada@example.org' });
    await until(() => there.get('only-here'));
    expect(await there.getMany({}, { sort: [{ name: 'asc' }] })).toEqual(
      await here.getMany({}, { sort: [{ name: 'asc' }] }),
    );
  });

  it('[DS-11] a second opening of a store names the process that has it; a dead one’s lock does not hold', async () => {
    expect(() => openNodeStore(ada.store)).toThrowError(String(process.pid));
    const left = join(net.directory, 'left');
    openNodeStore(left).db.close();
    // No process has this number: it is over the kernel's limit.
    writeFileSync(join(left, 'store.lock'), '999999999');
    const store = openNodeStore(left);
    expect(store.db.sql('SELECT 1 AS one').get()).toEqual({ one: 1 });
    store.db.close();
    store.release();
  });

  it('[DS-12] entries of a database that nobody opened since the start are made anew under the new epoch', async () => {
    const game = await net.app('https://game.example');
    const connect = async () => {
      const pending = await game.account.connect.request('Game');
      const [outcome, info] = await Promise.all([pending.answer(), ada.account.connect.approve(pending.document)]);
      if (outcome.status !== 'connected') throw new Error(outcome.status);
      return { session: outcome.session, info };
    };
    const open = (session: AppSession) =>
      Network.connect({
        account: new VaultAccount(session, game.account.schemas),
        context: { name: 'Game' },
      });
    const first = await connect();
    const second = await connect();
    const silo = await open(second.session);
    const saves = await silo.openDatabase('saves');
    await saves.save({ _id: 'online', level: 1 });
    await silo.synced();
    await net.stopNode();
    await saves.save({ _id: 'offline', level: 2 });
    await game.account.close();
    await net.startNode();
    await ada.account.synced();
    await ada.account.connect.closeSession(first.info.id);

    const again = await net.reopen(game);
    const reopened = again.connect.open(second.session.id);
    await (await open(reopened)).synced();
    const mine = await ada.account.context('Game', { app: game.account.did });
    await mine?.synced();
    expect(await (await mine?.openDatabase('saves'))?.get('offline')).toMatchObject({ level: 2 });
  });
});
