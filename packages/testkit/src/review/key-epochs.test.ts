/** Key epochs of a silo when several act at once, break off half way, or have a wrong clock. */

import { type Account, type SiloContext, SluiceError } from '@sluice/client';
import { createSystemClock } from '@sluice/core/base';
import type { Storage } from '@sluice/node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { codeOf, deviceOn } from '../messaging/messaging-fixture.ts';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';
import { letIn } from './session-fixture.ts';

describe('key epochs of a silo', () => {
  let net: TestNetwork;
  let owner: Persona;
  let game: Persona;
  /** The node fails at pushes that announce an epoch. */
  let isBroken = false;
  let refusals = 0;
  let offsetMs = 0;
  const wrapStorage = (storage: Storage): Storage => ({
    ...storage,
    push: (job) => {
      const isEpoch = job.parts.some((p) => p.type === 'ctl' && p.parsed.some((c) => c.public.type === 'epoch'));
      if (isBroken && isEpoch) refusals++;
      return isBroken && isEpoch ? Promise.resolve({ ok: false, code: 'UNAVAILABLE' }) : storage.push(job);
    },
  });

  beforeEach(async () => {
    isBroken = false;
    refusals = offsetMs = 0;
    net = await createTestNetwork({ wrapStorage, clock: createSystemClock(() => offsetMs) });
    owner = await net.person('owner');
    game = await net.app('https://game.example');
  });
  afterEach(() => net.close());

  const siloOf = async (account: Account) => {
    const silo = await account.context('Game', { app: game.account.did });
    if (!silo) throw new Error('there is no silo');
    return silo;
  };
  const save = async (context: Pick<SiloContext, 'openDatabase'>, id: string): Promise<unknown> =>
    (await context.openDatabase('saves')).save({ _id: id, by: id });
  const has = async (context: Pick<SiloContext, 'openDatabase'>, id: string): Promise<boolean> =>
    (await (await context.openDatabase('saves')).get(id)) !== undefined;
  const found = async (context: Pick<SiloContext, 'openDatabase'>): Promise<unknown[]> =>
    (await (await context.openDatabase('saves')).getMany({}, { sort: [{ by: 'asc' }] })).map((r) => r._id);

  it('[CON-10] [CTL-13] the owner’s other devices get the key as they run, and write on', async () => {
    const first = await letIn(owner, game);
    const second = await letIn(owner, game);
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    const silo = await siloOf(phone);
    await save(silo, 'a');
    await silo.synced();
    await owner.account.connect.closeSession(first.info.id);
    await save(silo, 'b');
    await silo.synced();
    await second.session.synced();
    await save(second.context, 'c');
    await second.session.synced();
    await until(() => has(silo, 'c'));
    expect(await found(silo)).toEqual(['a', 'b', 'c']);
    expect(await found(second.context)).toEqual(['a', 'b', 'c']);
  });

  it('[CON-10] [CTL-11] [CTL-12] two devices that start an epoch at once lose nothing, and shut out whom each of them meant', async () => {
    const one = await letIn(owner, game);
    const two = await letIn(owner, game);
    const stays = await letIn(owner, game);
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    const [here, there] = [await siloOf(owner.account), await siloOf(phone)];
    await Promise.all([owner.account.connect.closeSession(one.info.id), phone.connect.closeSession(two.info.id)]);
    await save(here, 'a');
    await save(there, 'b');
    await Promise.all([here.synced(), there.synced(), stays.session.synced()]);
    await save(stays.context, 'c');
    await stays.session.synced();
    for (const context of [here, there, stays.context]) {
      await until(async () => (await found(context)).length === 3);
      expect(await found(context)).toEqual(['a', 'b', 'c']);
    }
    // Whoever was shut out has at most a key that is no longer in force.
    const inForce = here.engine.access.epoch;
    expect([there.engine.access.epoch, stays.context.engine.access.epoch]).toEqual([inForce, inForce]);
    for (const { context } of [one, two]) expect(context.engine.keys.epochs.has(inForce)).toBe(false);
    // A device that comes later has them all from the keychain.
    await owner.account.synced();
    await phone.synced();
    const tablet = await net.restore(owner, 'tablet');
    await tablet.synced();
    const fresh = await siloOf(tablet);
    await fresh.synced();
    expect(await found(fresh)).toEqual(['a', 'b', 'c']);
  });

  it('[CON-10] [CTL-12] a session that ended between an announcement and its key takes the key at the next start', async () => {
    const leaves = await letIn(owner, game);
    const stays = await letIn(owner, game);
    await stays.session.synced();
    const name = `session/${stays.session.id}`;
    const before = game.account.open.keychain.get('received', name);
    await owner.account.connect.closeSession(leaves.info.id);
    await until(() => stays.context.engine.keys.epochs.size === 2);
    stays.session.close();
    game.account.open.keychain.put('received', name, before ?? {});
    const again = game.account.connect.open(stays.session.id).open(game.account.schemas);
    await save(again, 'late');
    await again.synced();
    await until(async () => has(await siloOf(owner.account), 'late'));
    expect(again.engine.keys.epochs.size).toBe(2);
  });

  it('[CON-9] a closing that broke off half way is whole once it is pressed again, and shuts nobody else out', async () => {
    const leaves = await letIn(owner, game);
    const stays = await letIn(owner, game);
    const silo = await siloOf(owner.account);
    isBroken = true;
    expect(await codeOf(owner.account.connect.revokeApp('did:web:nobody.example'))).toBe('done');
    expect(await codeOf(owner.account.connect.closeSession(leaves.info.id))).toBe('NODE_UNAVAILABLE');
    await until(() => leaves.session.status() === 'revoked');
    // Not announced, so nobody seals under it.
    await save(silo, 'between');
    await silo.synced();
    await until(() => has(stays.context, 'between'));
    isBroken = false;
    await owner.account.connect.closeSession(leaves.info.id);
    await save(silo, 'after');
    await silo.synced();
    await until(() => has(stays.context, 'after'));
    expect(leaves.context.engine.keys.epochs.size).toBe(1);
    expect(owner.account.connect.given().map((s) => s.status)).toEqual(['closed', 'active']);
  });

  it('[CON-10] a session that gets no key of the new epoch keeps what it has, and asks the node no faster than a clock', async () => {
    const leaves = await letIn(owner, game);
    const stays = await letIn(owner, game);
    await stays.session.synced();
    // The owner forgets this session's key, so that the next epoch is not sealed to it.
    const { keychain } = owner.account.open;
    keychain.remove('session', stays.info.id);
    await owner.account.connect.closeSession(leaves.info.id);
    await until(() => stays.context.engine.access.epoch > 1);
    const before = stays.context.engine.keys.epochs.size;
    await save(stays.context, 'waits');
    const asked = await codeOf(stays.session.synced(2_500));
    expect([before, asked]).toEqual([1, 'OFFLINE']);
    expect(await has(stays.context, 'waits')).toBe(true);
  });

  it('[CON-16] what is written after a session expired is closed to it, and the others write on', async () => {
    const leaves = await letIn(owner, game, 'Game', { sessionMs: 60_000 });
    const stays = await letIn(owner, game);
    await (await siloOf(owner.account)).synced();
    await owner.account.close();
    offsetMs = 120_000;
    isBroken = true;
    const again = await net.reopen(owner);
    await again.synced();
    const statuses = () => again.connect.given().map((s) => s.status);
    expect(statuses()).toEqual(['expired', 'active']);
    const silo = await siloOf(again);
    await until(() => refusals > 0);
    expect(silo.engine.access.epoch).toBe(0);
    isBroken = false;
    await until(() => silo.engine.access.epoch === 2);
    await save(silo, 'after');
    await silo.synced();
    await until(() => has(stays.context, 'after'));
    await save(stays.context, 'more');
    await stays.session.synced();
    await until(() => has(silo, 'more'));
    expect(leaves.context.engine.keys.epochs.size).toBe(1);
    await until(() => again.open.keychain.get('session', leaves.info.id)?.status === 'expired');
    expect(statuses()).toEqual(['expired', 'active']);
    // Once: neither the next start nor another device does it again.
    await again.synced();
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    await again.close();
    const third = await net.reopen(owner);
    await third.synced();
    await Promise.all([(await siloOf(third)).synced(), (await siloOf(phone)).synced()]);
    expect([(await siloOf(third)).engine.access.epoch, (await siloOf(phone)).engine.access.epoch]).toEqual([2, 2]);
  });

  it('[CON-16] a session that expires while its owner is connected ends the epoch then', async () => {
    const { info } = await letIn(owner, game, 'Game', { sessionMs: 300 });
    const silo = await siloOf(owner.account);
    await until(() => silo.engine.access.epoch === 2);
    await until(() => owner.account.open.keychain.get('session', info.id)?.status === 'expired');
    expect(owner.account.connect.given().map((s) => s.status)).toEqual(['expired']);
  });

  it('[CON-11] an app that was let in before is let in again, and both sessions write', async () => {
    const first = await letIn(owner, game);
    await save(first.context, 'a');
    await first.session.synced();
    const second = await letIn(owner, game);
    await save(second.context, 'b');
    await save(first.context, 'c');
    await Promise.all([first.session.synced(), second.session.synced()]);
    await first.session.disconnect();
    await save(second.context, 'd');
    await second.session.synced();
    await until(async () => (await found(second.context)).length === 4);
    expect(await found(second.context)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('[PUSH-4] a device whose clock is ahead joins and ends a session all the same', async () => {
    const { info, session } = await letIn(owner, game);
    const phone = await deviceOn(net, owner, 'phone', { clock: createSystemClock(200_000) });
    try {
      await phone.connect.closeSession(info.id);
      await until(() => session.status() === 'revoked');
      expect(phone.connect.given().map((s) => s.status)).toEqual(['closed']);
    } finally {
      await phone.close();
    }
  });

  it('[CON-16] a silo in which the time of a session cannot be ended keeps no other waiting', async () => {
    const other = await net.app('https://other.example');
    const infos = [await letIn(owner, game, 'Game', SHORT), await letIn(owner, other, 'Game', SHORT)].map(
      (l) => l.info,
    );
    const { open } = owner.account;
    const { openContext } = open;
    let bad: string | undefined;
    vi.spyOn(open, 'openContext').mockImplementation((id, create) => {
      bad ??= id.app;
      return id.app === bad ? Promise.reject(new SluiceError('TAMPERED')) : openContext(id, create);
    });
    offsetMs = 61_000;
    await net.stopNode();
    await net.startNode();
    const statuses = () => infos.map(({ id }) => open.keychain.get('session', id)?.status);
    await until(() => statuses().includes('expired'));
    expect(statuses().sort()).toEqual(['active', 'expired']);
  });
});

const SHORT = { sessionMs: 60_000 };
