import { createSystemClock, type JsonObject } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { post, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

const TYPE = 'inbox/type/datastoreSync';

describe('Verida’s message for keeping a datastore equal', () => {
  let net: TestNetwork;
  let owner: Persona;
  let app: Persona;

  beforeEach(async () => {
    net = await createTestNetwork({ clock: createSystemClock() });
    owner = await net.person('owner');
    app = await net.app('https://asker.example');
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.saveMany([post(0), post(1)]);
  });
  afterEach(() => net.close());

  /** Sends the message as other software does. Result: its id, once it arrived. */
  const send = async (data: JsonObject, by: Persona = app): Promise<string> => {
    const { id } = await by.account.mailbox.send(owner.account.did, TYPE, data, 'To keep them equal');
    await until(() => owner.account.mailbox.get(id));
    return id;
  };
  const sharing = () => owner.account.sharing;

  it.each([
    [
      'push',
      'read',
      'asker.example may read your Social posts (those where type is "odd", the whole records), from now on',
    ],
    ['pull', 'write', 'asker.example may write to your Social posts (those where type is "odd"), from now on'],
    ['both', 'readwrite', 'asker.example may read and change your Social posts (those where type is "odd", the whole'],
  ] as const)('[GRANT-28] %s is %s, seen from the owner', async (direction, access, sentence) => {
    const asked = { schema: 'social/post', filter: { type: 'odd' }, direction };
    const pending = await app.account.sharing.requestDatastoreSync(owner.account.did, { ...asked, purpose: 'To keep' });
    const item = await until(() => owner.account.mailbox.get(pending.id));
    expect(item).toMatchObject({ type: TYPE, data: { filter: { type: 'odd' }, direction } });
    expect((await sharing().requests()).map(({ id }) => id)).toEqual([pending.id]);
    const preview = await sharing().preview(pending.id);
    expect(preview.items[0]?.sentence).toContain(sentence);
    expect(preview).toMatchObject({ purpose: 'To keep', items: [{ matching: 1 }] });
    expect(preview.declineOnly).toBeUndefined();
    const [given] = await sharing().consent(pending.id);
    expect(given?.terms).toMatchObject({ access, duration: 'standing' });
    const answer = await pending.answer();
    const grant = answer.status === 'granted' ? answer.grants[0] : undefined;
    await grant?.upToDate();
    expect(await grant?.datastore().count()).toBe(direction === 'pull' ? 0 : 1);
  });

  it('[GRANT-28] alone it is shown with its sentence, and can only be declined', async () => {
    const externalDs = { did: 'did:vda:x', encryptionKey: { key: 'secret', type: 'x' } };
    const id = await send({ schema: 'social/post', direction: 'push', externalDs });
    expect((await sharing().requests()).map((r) => r.id)).toEqual([id]);
    const preview = await sharing().preview(id);
    expect(preview).toMatchObject({ purpose: 'To keep them equal', items: [{ matching: 2 }] });
    expect(preview.items[0]?.sentence).toContain('asker.example may read your Social posts (all, the whole records)');
    expect(preview.declineOnly).toContain('no key that an answer could be sealed to');
    await expect(sharing().consent(id)).rejects.toThrow('can only be declined');
    expect([sharing().grants.list(), app.account.mailbox.list()]).toEqual([[], []]);
    await sharing().decline(id);
    const answer = await until(() => app.account.mailbox.list()[0]);
    expect(answer).toMatchObject({ type: 'inbox/type/status', data: { replyId: id, status: 'declined' } });
  });

  it('[GRANT-28] [GRANT-19] of a schema that is not known here nothing is fetched', async () => {
    const id = await send({ schema: 'https://spy.example/track-me.json', direction: 'both' });
    expect((await sharing().preview(id)).items[0]?.sentence).toContain('none of your records has it');
  });

  it('[GRANT-28] what the message shows must be what is signed in it', async () => {
    const asked = { schema: 'social/post', direction: 'push' as const, purpose: 'x' };
    const genuine = await app.account.sharing.requestDatastoreSync(owner.account.did, asked);
    const data = (await until(() => owner.account.mailbox.get(genuine.id))).data;
    const refused = async (change: JsonObject, by?: Persona): Promise<void> => {
      const id = await send({ ...data, ...change }, by);
      await expect(sharing().consent(id)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      await expect(sharing().preview(id)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    };
    await refused({ direction: 'both' });
    await refused({ filter: { type: 'odd' } });
    await refused({ schema: 'note' });
    await refused({ request: 'AAAA' });
    await refused({}, await net.app('https://thief.example'));
    expect(await sharing().consent(genuine.id)).toHaveLength(1);
  });

  it('[GRANT-28] a message that is not well formed is refused with its reason', async () => {
    const deposit = async (data: JsonObject): Promise<string> => send(data);
    for (const data of [
      { schema: 'social/post', direction: 'sideways' },
      { schema: 'social/post' },
      { direction: 'push' },
      { schema: 'social/post', direction: 'push', filter: [] },
      { schema: 'social/post', direction: 'push', filter: { name: { $where: '1' } } },
    ] as unknown as JsonObject[])
      await expect(sharing().preview(await deposit(data))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});
