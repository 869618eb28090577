/** A session that its owner let into one silo, and that writes there whatever its key allows: what it must not reach by that. */

import { type Account, LinkRefusal, readLog } from '@sluice/client';
import { bytesToHex, systemRandom, type Tag, toRowId, toStreamId } from '@sluice/core/base';
import { createSigningKey, type SigningKey } from '@sluice/core/crypto';
import { createCtlEntry, type CtlPublic, ctlStreamId, entryHash, NO_ENTRY, VERB } from '@sluice/core/stream';
import { encodePush, ENTRY_KIND, MAX_WRITER_STREAMS, type Page, STREAM_KIND } from '@sluice/core/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, leave, sealTo, senderOf } from '../messaging/messaging-fixture.ts';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';
import { bodyOf, createScribe, type Let, letIn, type Scribe } from './session-fixture.ts';

describe('a hostile session', () => {
  let net: TestNetwork;
  let owner: Persona;
  let game: Persona;
  let inside: Let;
  let scribe: Scribe;

  beforeEach(async () => {
    net = await createTestNetwork();
    owner = await net.person('owner');
    game = await net.app('https://game.example');
    inside = await letIn(owner, game);
    scribe = await createScribe(net, inside.context);
  });
  afterEach(async () => {
    scribe.link.close();
    await net.close();
  });

  const siloOf = async (account: Account) => {
    const silo = await account.context('Game', { app: game.account.did });
    if (!silo) throw new Error('there is no silo');
    return silo;
  };
  const refusalOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'stored',
      (cause: unknown) => (cause instanceof LinkRefusal ? cause.code : String(cause)),
    );

  it('[CTL-4] once shut out, it cannot go on writing that it ends', async () => {
    const { session, info, context } = inside;
    await session.synced();
    const { writer, keys, access } = context.engine;
    const row = [...access.rows.values()].find((r) => r.role === 'session');
    if (!row) throw new Error('there is no row');
    const end = (n: number, previous: Uint8Array) => {
      const at = { n, hlc: { ms: Math.trunc(net.clock.nowMs()), counter: n }, previous };
      return createCtlEntry(writer, ctlStreamId(keys.space), at, { ...row, type: 'row', status: 'revoked' }, null);
    };
    const send = (entry: ReturnType<typeof end>): Promise<string> =>
      refusalOf(scribe.link.push(keys.space, encodePush([{ type: 'ctl', entries: [entry] }])));
    const first = end(1, NO_ENTRY);
    expect(await send(first)).toBe('stored');
    expect(await send(end(2, entryHash(first)))).toBe('REVOKED');
    await until(() => session.status() === 'revoked');
    await owner.account.connect.closeSession(info.id);
    expect(await send(end(2, entryHash(first)))).toBe('REVOKED');
  });

  it('[PUSH-14] it cannot give a record one head after the other, which every reader would merge anew', async () => {
    const saves = scribe.collection('plain/saves');
    const head = (superseded: readonly number[] = []) => ({
      tag: saves.tagOf('x'),
      body: bodyOf('x'),
      superseded: superseded.map((n) => ({ writer: scribe.writer, n })),
    });
    const push = (...heads: ReturnType<typeof head>[]) =>
      refusalOf(scribe.push([scribe.part(saves.stream, saves.key, heads)]));
    expect(await push(head(), head([1]))).toBe('stored');
    expect(await push(head())).toBe('MALFORMED');
    const silo = await siloOf(owner.account);
    await silo.synced();
    expect((await (await silo.openDatabase('saves')).get('x'))?.level).toBe(1);
  });

  it('[ENT-1] [PUSH-14] a record with more heads than one entry may name, each of another writer, can be written again and again', async () => {
    const WRITERS = 130;
    const silo = await siloOf(owner.account);
    const keys = Array.from({ length: WRITERS }, () => createSigningKey(systemRandom));
    await silo.engine.control(keys.map((key) => ({ public: sessionRow(key), sealed: null })));
    for (const writer of keys) {
      const one = await createScribe(net, { engine: { keys: inside.context.engine.keys, writer } });
      const { stream, key, tagOf } = one.collection('plain/saves');
      await one.push([one.part(stream, key, [{ tag: tagOf('x'), body: bodyOf('x') }])]);
      one.link.close();
    }
    await silo.synced();
    const mine = await silo.openDatabase('saves');
    for (const level of [2, 3, 4]) {
      await mine.save({ _id: 'x', level }, { force: true });
      await silo.synced();
    }
    await inside.session.synced();
    expect((await (await inside.context.openDatabase('saves')).get('x'))?.level).toBe(4);
  }, 20_000);

  it('[PUSH-13] it cannot open so many streams that no page can tell of them', async () => {
    const push = (count: number): Promise<string> =>
      refusalOf(
        scribe.push(
          Array.from({ length: count }, () => {
            const stream = toStreamId(Uint8Array.from([1, ...systemRandom(15)]));
            const { key, tagOf } = scribe.collection('x');
            return scribe.part(stream, key, [{ tag: tagOf('x'), body: new Uint8Array(1) }]);
          }),
        ),
      );
    expect(await push(MAX_WRITER_STREAMS / 2)).toBe('stored');
    expect(await push(MAX_WRITER_STREAMS / 2)).toBe('stored');
    expect(await push(1)).toBe('QUOTA');
    await (await siloOf(owner.account)).synced();
    await owner.account.synced();
    expect(owner.account.open.link.state()).toBe('ready');
  });

  it('[PULL-2] seals that are dead but for one entry each do not make a page that nobody can read', async () => {
    const { stream, key } = scribe.collection('plain/saves');
    const SEALS = 22;
    const tag = (i: number): Tag => Uint8Array.from({ length: 16 }, (_, at) => (at === 0 ? i : at)) as Tag;
    for (let i = 0; i < SEALS; i++) {
      const entries = Array.from({ length: 500 }, (_, j) => ({
        tag: tag(i),
        body: new Uint8Array(1),
        superseded: j === 0 ? [] : [{ writer: scribe.writer, n: i * 500 + j }],
      }));
      await scribe.push([scribe.part(stream, key, entries)]);
    }
    const pages: Page[] = [];
    const { keys } = inside.context.engine;
    await readLog(owner.account.open.link, keys.space, { type: 'own' }, 0, (page) => void pages.push(page));
    expect(pages.flatMap((p) => p.holes)).toHaveLength(SEALS * 499);
    expect(Math.max(...pages.map((p) => p.holes.length))).toBeLessThanOrEqual(10_000);
    await (await siloOf(owner.account)).synced();
  }, 30_000);

  it('[CON-12] a record in the way of its silo’s message holds up no message of the owner', async () => {
    const inbox = scribe.collection('inbox');
    const id = 'ab'.repeat(16);
    const t = Array.from({ length: 19_000 }, () => [1_000_000, 0, bytesToHex(systemRandom(16))]);
    // Deleted, and nearly as large as a record may be: it is not there to be found, and nothing fits on top of it.
    const body = bodyOf(id, { f: {}, t: [[2_000_000_000_000, 0], ...t], d: 0 });
    await scribe.push([scribe.part(inbox.stream, inbox.key, [{ tag: inbox.tagOf(id), body, kind: ENTRY_KIND.DEL }])]);
    const silo = await siloOf(owner.account);
    await silo.synced();
    const more = 'x'.repeat(200_000);
    const trap = await sealTo(net, owner, senderOf(game), {
      id,
      context: 'Game',
      data: { subject: 's', message: 'm', more },
    });
    const friend = await net.person('friend');
    const honest = await sealTo(net, owner, senderOf(friend), { id: 'cd'.repeat(16) });
    await leave(owner, trap, honest);
    await until(() => owner.account.mailbox.get('cd'.repeat(16)));
    expect(owner.account.mailbox.get(id)?.from).toBe(game.account.did);
    await owner.account.synced();
  });

  it('[CON-8] it reads and writes nothing of the owner’s other spaces, whatever it asks for', async () => {
    const home = owner.account.open.home.keys.space;
    const saves = scribe.collection('plain/saves');
    const part = scribe.part(saves.stream, saves.key, [{ tag: saves.tagOf('x'), body: bodyOf('x') }]);
    expect(await refusalOf(scribe.link.push(home, encodePush([part])))).toBe('FORBIDDEN');
    const drain = encodePush([{ type: 'drain', tags: [saves.tagOf('x')] }]);
    expect(await refusalOf(scribe.link.push(inside.context.engine.keys.space, drain))).toBe('FORBIDDEN');
    expect(await codeOf(owner.account.synced())).toBe('done');
  });
});

const sessionRow = (key: SigningKey): CtlPublic => ({
  type: 'row',
  id: toRowId(systemRandom(16)),
  key: key.publicKey,
  role: 'session',
  access: [{ target: Uint8Array.of(STREAM_KIND.own), verbs: VERB.read + VERB.write }],
  status: 'active',
  expiresMs: 0,
  perDay: 0,
  term: 0,
  statusMs: 0,
});
