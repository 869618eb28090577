import {
  type AppSession,
  type SiloContext,
  Network,
  openLiveLink,
  readLog,
  type SessionInfo,
  SluiceError,
  VaultAccount,
} from '@sluice/client';
import { createSystemClock } from '@sluice/core/base';
import { signDocument } from '@sluice/core/identity';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

describe('connecting an app to its silo', () => {
  let net: TestNetwork;
  let owner: Persona;
  let game: Persona;
  let offsetMs = 0;

  beforeEach(async () => {
    offsetMs = 0;
    net = await createTestNetwork({ clock: createSystemClock(() => offsetMs) });
    owner = await net.person('owner');
    game = await net.app('https://game.example');
  });
  afterEach(() => net.close());

  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (cause: unknown) => (cause instanceof SluiceError ? cause.code : String(cause)),
    );
  const connect = async (
    app: Persona,
    name = 'Game',
  ): Promise<{ session: AppSession; info: SessionInfo; context: SiloContext }> => {
    const pending = await app.account.connect.request(name);
    const [outcome, info] = await Promise.all([pending.answer(), owner.account.connect.approve(pending.document)]);
    if (outcome.status !== 'connected') throw new Error(outcome.status);
    const account = new VaultAccount(outcome.session, app.account.schemas);
    return { session: outcome.session, info, context: await Network.connect({ account, context: { name } }) };
  };
  const dropOf = (id: string): Uint8Array | undefined =>
    net.storage.blobs.get('drop', Buffer.from(id, 'hex').toString('base64url'), net.clock.nowMs());
  const forge = (app: Persona, change: object, did = app.account.did): Uint8Array => {
    const { device, card, sealing } = app.account.open;
    const key = Buffer.from(device.publicKey).toString('base64url');
    const hpke = Buffer.from(sealing.publicKey).toString('base64url');
    const payload = {
      context: 'Game',
      sessionKey: key,
      hpkeKey: hpke,
      dropUrl: 'https://node.sluice.test',
      expiresAt: net.clock.nowMs() + 60_000,
      origin: app.origin ?? '',
      nonce: 'AAAA',
      ...change,
    };
    return signDocument('sluice/connect-request/1', payload, { did, key: device, card });
  };

  it('[CON-1] a request signed by another than the app it names is refused', async () => {
    const thief = await net.app('https://thief.example');
    expect(await codeOf(owner.account.connect.inspect(forge(thief, { origin: game.origin }, game.account.did)))).toBe(
      'BAD_REQUEST',
    );
    const altered = forge(game, {});
    altered[altered.length - 3] = (altered.at(-3) as number) ^ 1;
    expect(await codeOf(owner.account.connect.approve(altered))).toBe('BAD_REQUEST');
    expect(await codeOf(owner.account.connect.inspect(forge(game, {})))).toBe('done');
  });

  it('[CON-2] an origin that is not the signer’s own is refused', async () => {
    expect(await codeOf(owner.account.connect.inspect(forge(game, { origin: 'https://bank.example' })))).toBe(
      'BAD_REQUEST',
    );
  });

  it('[CON-3] an expired request is refused', async () => {
    const request = forge(game, {});
    offsetMs = 120_000;
    expect(await codeOf(owner.account.connect.approve(request))).toBe('BAD_REQUEST');
  });

  it('[CON-4] the same name asked by another app is another silo', async () => {
    const other = await net.app('https://other.example');
    const first = await connect(game);
    const second = await connect(other);
    const saves = await first.context.openDatabase('saves');
    await saves.save({ _id: 's', level: 3 });
    await first.context.synced();
    await second.context.synced();
    expect(await (await second.context.openDatabase('saves')).get('s')).toBeUndefined();
    expect(first.context.engine.keys.space).not.toEqual(second.context.engine.keys.space);
  });

  it('[CON-8] a session opens the context it was given, and says so when another is named', async () => {
    const { session, context } = await connect(game);
    const account = new VaultAccount(session, game.account.schemas);
    expect(await Network.connect({ account, context: { name: 'Game' } })).toBe(context);
    await expect(Network.connect({ account, context: { name: 'Another' } })).rejects.toThrow(/“Game” and no other/);
  });

  it('[CON-5] [CON-6] an answer to one request neither opens nor counts for another', async () => {
    const first = await game.account.connect.request('Game');
    const second = await game.account.connect.request('Game');
    await owner.account.connect.approve(first.document);
    const http = game.account.open.http;
    const sealed = await http.takeDrop(Buffer.from(first.id, 'hex'), 5);
    if (!sealed.ok || !sealed.value) throw new Error('there is no answer');
    await http.putDrop(Buffer.from(second.id, 'hex'), sealed.value);
    const answer = second.answer();
    await until(() => !dropOf(second.id));
    offsetMs = 11 * 60_000;
    expect(await answer).toEqual({ status: 'expired' });
  });

  it('[CON-15] what somebody else leaves at the drop keeps nobody from the answer that follows', async () => {
    const pending = await game.account.connect.request('Game');
    const junk = new Uint8Array(100).fill(7);
    await game.account.open.http.putDrop(Buffer.from(pending.id, 'hex'), junk);
    const answer = pending.answer();
    await until(() => !dropOf(pending.id));
    const [outcome, info] = await Promise.all([answer, owner.account.connect.approve(pending.document)]);
    expect(outcome.status).toBe('connected');
    expect(owner.account.connect.given()).toEqual([info]);
  });

  it('[CON-15] an owner who finds another answer at the drop is told just that, and nobody is let in', async () => {
    const approved = await game.account.connect.request('Game');
    const declined = await game.account.connect.request('Game');
    for (const { id } of [approved, declined])
      await game.account.open.http.putDrop(Buffer.from(id, 'hex'), new Uint8Array(100).fill(7));
    await expect(owner.account.connect.approve(approved.document)).rejects.toThrow(/what somebody else left there/);
    expect(owner.account.connect.given().map((s) => s.status)).toEqual(['closed']);
    await expect(owner.account.connect.decline(declined.document)).rejects.toThrow(/what somebody else left there/);
  });

  it('[CON-7] a drop takes one answer and gives it once', async () => {
    const pending = await game.account.connect.request('Game');
    await owner.account.connect.decline(pending.document);
    expect(await codeOf(owner.account.connect.decline(pending.document))).toBe('ALREADY_ANSWERED');
    expect(await pending.answer()).toEqual({ status: 'declined' });
    expect(await game.account.open.http.takeDrop(Buffer.from(pending.id, 'hex'), 0)).toEqual({
      ok: true,
      value: undefined,
    });
  });

  it('[CON-13] an approval whose answer did not get through is left once more, and lets in one session', async () => {
    await net.close();
    let isBroken = false;
    net = await createTestNetwork({
      wrapStorage: (storage) => ({
        ...storage,
        blobs: {
          ...storage.blobs,
          put: (...args) => (isBroken ? Promise.reject(new Error('disk')) : storage.blobs.put(...args)),
        },
      }),
    });
    owner = await net.person('owner');
    game = await net.app('https://game.example');
    const pending = await game.account.connect.request('Game');
    isBroken = true;
    expect(await codeOf(owner.account.connect.approve(pending.document))).toBe('NODE_INTERNAL');
    isBroken = false;
    const drop = Buffer.from(pending.id, 'hex');
    await game.account.open.http.putDrop(drop, new Uint8Array(100).fill(7));
    // What lies there is not taken for the answer that was lost, and the session waits for one that gets through.
    await expect(owner.account.connect.approve(pending.document)).rejects.toThrow(/what somebody else left there/);
    await game.account.open.http.takeDrop(drop, 0);
    const info = await owner.account.connect.approve(pending.document);
    expect(await owner.account.connect.approve(pending.document)).toEqual(info);
    expect((await pending.answer()).status).toBe('connected');
    expect(owner.account.connect.given()).toEqual([info]);
    expect(await codeOf(owner.account.connect.decline(pending.document))).toBe('ALREADY_ANSWERED');
  });

  it('[CON-13] who declined cannot approve: the session is closed again', async () => {
    const pending = await game.account.connect.request('Game');
    await owner.account.connect.decline(pending.document);
    expect(await codeOf(owner.account.connect.approve(pending.document))).toBe('ALREADY_ANSWERED');
    expect(owner.account.connect.given().map((s) => s.status)).toEqual(['closed']);
    expect(await pending.answer()).toEqual({ status: 'declined' });
  });

  it('[CON-8] a session works in its silo, and the owner reads it; home and control are closed to it', async () => {
    const { context, session } = await connect(game);
    const saves = await context.openDatastore('game/save');
    await saves.save({ _id: 'slot', name: 'Slot', level: 4 });
    await session.synced();
    const silo = await owner.account.context('Game', { app: game.account.did });
    await silo?.synced();
    expect(await (await silo?.openDatastore('game/save'))?.get('slot')).toMatchObject({ level: 4 });
    const { engine } = context;
    const link = openLiveLink(net.platform, engine.keys.node, engine.writer);
    for (const log of ['own', 'ctl', 'inbox'] as const) {
      expect(await readLog(link, owner.account.open.home.keys.space, { type: log }, 0, () => undefined)).toEqual({
        ok: false,
        code: 'FORBIDDEN',
      });
    }
    expect(await readLog(link, engine.keys.space, { type: 'inbox' }, 0, () => undefined)).toEqual({
      ok: false,
      code: 'FORBIDDEN',
    });
    link.close();
    const row = [...engine.access.rows.values()].find((r) => r.role === 'session');
    if (!row) throw new Error('there is no row');
    expect(await codeOf(engine.control([{ public: { ...row, type: 'row', role: 'admin' }, sealed: null }]))).toBe(
      'NOT_ALLOWED',
    );
  });

  it('[CON-9] a closed session is refused at once, and its key opens nothing newer', async () => {
    const { context, session, info } = await connect(game);
    await (await context.openDatabase('saves')).save({ _id: 'a', level: 1 });
    await session.synced();
    const before = context.engine.keys.epochs.size;
    await owner.account.connect.closeSession(info.id);
    await until(() => session.status() === 'revoked');
    const silo = await owner.account.context('Game', { app: game.account.did });
    expect([...(silo?.engine.keys.epochs.keys() ?? [])]).toEqual([1, silo?.engine.access.epoch]);
    expect(context.engine.keys.epochs.size).toBe(before);
    expect(owner.account.connect.given()[0]?.status).toBe('closed');
  });

  it('[CON-10] a remaining session gets the new key and seals what it had not sent under it', async () => {
    const first = await connect(game);
    const second = await connect(game);
    const saves = await second.context.openDatabase('saves');
    await saves.save({ _id: 'early', level: 1 });
    await second.session.synced();
    await owner.account.connect.closeSession(first.info.id);
    await until(() => second.context.engine.keys.epochs.size === 2);
    await saves.save({ _id: 'late', level: 2 });
    await second.session.synced();
    const silo = await owner.account.context('Game', { app: game.account.did });
    await silo?.synced();
    const read = await silo?.openDatabase('saves');
    expect((await read?.get('early'))?.level).toBe(1);
    expect((await read?.get('late'))?.level).toBe(2);
    expect(second.session.status()).toBe('live');
  });

  it('[CON-10] entries sealed under the old epoch while offline are sealed anew under the same numbers', async () => {
    const first = await connect(game);
    const second = await connect(game);
    const saves = await second.context.openDatabase('saves');
    await saves.save({ _id: 'before', level: 0 });
    await second.session.synced();
    await net.stopNode();
    await saves.save({ _id: 'offline-1', level: 1 });
    await saves.save({ _id: 'offline-2', level: 2 });
    const sealedUnder = second.context.engine.keys.epochs.size;
    await net.startNode();
    await owner.account.connect.closeSession(first.info.id);
    await second.session.synced();
    expect(sealedUnder).toBe(1);
    const silo = await owner.account.context('Game', { app: game.account.did });
    await silo?.synced();
    const read = await silo?.openDatabase('saves');
    expect([(await read?.get('offline-1'))?.level, (await read?.get('offline-2'))?.level]).toEqual([1, 2]);
  });

  it('[CON-12] a message for the silo is read by its session, and by no other silo’s', async () => {
    const { context } = await connect(game);
    const other = await connect(game, 'Other game');
    const friend = await net.person('friend');
    const arrived: string[] = [];
    context.getMessaging().onMessage((item) => arrived.push(item.message));
    const sent = await friend.account.messaging.send(
      owner.account.did,
      'inbox/type/message',
      { subject: 'Level 7', message: 'Come and play' },
      'Come and play',
      { context: 'Game', contextApp: game.account.did },
    );
    await until(() => arrived.length > 0);
    expect(arrived).toEqual(['Come and play']);
    expect(await context.getMessaging().getMessages({ type: 'inbox/type/message' })).toMatchObject([
      { id: sent.id, from: friend.account.did, data: { subject: 'Level 7' } },
    ]);
    await other.context.synced();
    expect(await other.context.getMessaging().getMessages()).toEqual([]);
    expect(owner.account.mailbox.get(sent.id)?.context).toBe('Game');
  });

  it('[CON-11] a session may end itself', async () => {
    const { session, info, context } = await connect(game);
    const other = await connect(game);
    await session.disconnect();
    const silo = await owner.account.context('Game', { app: game.account.did });
    await silo?.synced();
    const rows = [...(silo?.engine.access.rows.values() ?? [])].filter((r) => r.role === 'session');
    expect(rows.map((r) => r.status).sort()).toEqual(['active', 'revoked']);
    expect(info.status).toBe('active');
    await (await other.context.openDatabase('saves')).save({ _id: 'x', level: 1 });
    await other.session.synced();
    expect(context.engine.keys.epochs.size).toBe(1);
  });
});
