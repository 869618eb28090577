/** What the other side of a session, a request or an agent sends on purpose: it ends no process, and keeps nothing from going on. */

import { SluiceError } from '@sluice/client';
import { createSystemClock, type JsonObject } from '@sluice/core/base';
import { canSealTo, keyCommitment, sealHpke } from '@sluice/core/crypto';
import { signAttestation } from '@sluice/core/grant';
import { signDocument } from '@sluice/core/identity';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { codeOf } from '../messaging/messaging-fixture.ts';
import { sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';
import { letIn } from './session-fixture.ts';

/** A point of small order: a key of the right length that nothing can be sealed to. */
const NO_KEY = Buffer.alloc(32).toString('base64url');
const EPOCH_INFO = new TextEncoder().encode('sluice/epoch/1');

describe('a hostile peer', () => {
  let net: TestNetwork;
  let owner: Persona;
  let game: Persona;
  let offsetMs = 0;
  const unhandled: unknown[] = [];
  const onUnhandled = (cause: unknown): void => void unhandled.push(cause);
  beforeEach(async () => {
    offsetMs = 0;
    unhandled.length = 0;
    for (const name of ['unhandledRejection', 'uncaughtException']) process.on(name, onUnhandled);
    net = await createTestNetwork({ clock: createSystemClock(() => offsetMs) });
    owner = await net.person('owner');
    game = await net.app('https://game.example');
  });
  afterEach(async () => {
    await net.close();
    for (const name of ['unhandledRejection', 'uncaughtException']) process.off(name, onUnhandled);
  });

  const requestOf = (more: object): Uint8Array => {
    const { device, card, sealing } = game.account.open;
    const payload = {
      context: 'Game',
      sessionKey: Buffer.from(device.publicKey).toString('base64url'),
      hpkeKey: Buffer.from(sealing.publicKey).toString('base64url'),
      dropUrl: 'https://node.sluice.test',
      expiresAt: net.clock.nowMs() + 60_000,
      origin: game.origin ?? '',
      nonce: 'AAAA',
      ...more,
    };
    return signDocument('sluice/connect-request/1', payload, { did: game.account.did, key: device, card });
  };

  it('[CON-10] an owner who announces what is no key of an epoch ends no process of the app, nor its next start', async () => {
    const { session, context } = await letIn(owner, game);
    await session.synced();
    const silo = await owner.account.context('Game', { app: game.account.did });
    const row = [...context.engine.access.rows.values()].find((r) => r.role === 'session');
    if (!silo || !row) throw new Error('there is no session');
    const short = new Uint8Array(31).fill(7);
    const item = owner.account.open.keychain.list('session')[0]?.item;
    const sealed = await sealHpke(
      Buffer.from(String(item?.hpkeKey), 'base64url'),
      EPOCH_INFO,
      silo.engine.keys.space,
      short,
    );
    const keys = [{ row: row.id, sealed }];
    const commitment = keyCommitment(short);
    await silo.engine.control([{ public: { type: 'epoch', epoch: 2, commitment, keys }, sealed: null }]);
    await until(() => context.engine.access.epochs.has(2));
    await game.account.close();
    const again = await net.reopen(game);
    const later = again.connect.open(session.id);
    await until(() => later.status() === 'live');
    expect(unhandled).toEqual([]);
  });

  it('[CON-1] an app that names a key nothing can be sealed to is let in nowhere', async () => {
    const { info } = await letIn(owner, game, 'Game', { sessionMs: 60_000 });
    expect(await codeOf(owner.account.connect.approve(requestOf({ hpkeKey: NO_KEY })))).toBe('BAD_REQUEST');
    expect(owner.account.connect.given()).toEqual([info]);
    // What such a session would be in the way of: the key that shuts out the one whose time is over.
    const { keychain } = owner.account.open;
    offsetMs = 61_000;
    await net.stopNode();
    await net.startNode();
    await until(() => keychain.get('session', info.id)?.status === 'expired');
    expect(unhandled).toEqual([]);
    expect(await canSealTo(game.account.open.sealing.publicKey)).toBe(true);
  });

  it('[GRANT-17] a request whose key nothing can be sealed to is refused before anything is given', async () => {
    const { device, card } = game.account.open;
    const schema = await owner.account.vault.registry.load('social/post');
    const key = Buffer.from(device.publicKey).toString('base64url');
    const terms = { schema: schema.id, schemaHash: schema.hash, access: 'read', filter: {}, duration: 'standing' };
    const payload = {
      to: owner.account.did,
      items: [terms],
      purpose: 'x',
      expiresAt: net.clock.nowMs() + 60_000,
      signKey: key,
      hpkeKey: NO_KEY,
    };
    const document = signDocument('sluice/sync-request/1', payload, { did: game.account.did, key: device, card });
    const rows = owner.account.open.home.access.rows.size;
    for (const request of [Buffer.from(document).toString('base64url'), '+/=\u0000']) {
      const data = { request, purpose: 'x' };
      const { id } = await game.account.mailbox.send(owner.account.did, 'inbox/type/syncRequest', data, 'x');
      await until(() => owner.account.mailbox.get(id));
      expect(await codeOf(owner.account.sharing.consent(id))).toBe('BAD_REQUEST');
      await expect(owner.account.sharing.preview(id)).rejects.toBeInstanceOf(SluiceError);
    }
    expect(owner.account.open.home.access.rows.size).toBe(rows);
  });

  /** A grant that was revoked while its grantee was away, and the grantee back, whose own software has nothing to say of it. */
  const revoked = async () => {
    const { given } = await sharePosts(net, {}, owner, game);
    await game.account.close();
    await owner.account.sharing.revoke(given.grantId);
    const again = await net.reopen(game);
    const attest = (grantId: string): string => {
      const signer = { did: again.did, key: again.open.device, card: again.open.card };
      const content = { grantId, wiped: 1, atMs: net.clock.nowMs(), reason: 'revoked' } as const;
      return Buffer.from(signAttestation(content, signer)).toString('base64url');
    };
    const send = (data: JsonObject) => again.mailbox.send(owner.account.did, 'inbox/type/syncWiped', data, 'x');
    return { grantId: given.grantId, attest, send };
  };

  it('a grantee that names one grant over and over has its word checked once', async () => {
    const { grantId, attest, send } = await revoked();
    const resolve = vi.spyOn(owner.account.open.resolver, 'resolve');
    const grants = Array.from({ length: 5_000 }, () => grantId);
    await send({ grants, attestation: attest('0'.repeat(32)) });
    await until(() => resolve.mock.calls.length > 1);
    const { id } = await send({ grants: [], attestation: '' });
    await until(() => owner.account.mailbox.get(id));
    // Of each message its sender, and of the first who signed what it brings.
    expect(resolve.mock.calls.length).toBe(3);
  });

  it('a word of a grantee that is looked up while the account closes is left to the next start', async () => {
    const { grantId, attest, send } = await revoked();
    const { resolver } = owner.account.open;
    const { resolve } = resolver;
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((done) => {
      letGo = done;
    });
    let looks = 0;
    vi.spyOn(resolver, 'resolve').mockImplementation(async (did) => {
      looks++;
      // The first look is at the sender of the message, the next at who signed what it brings.
      if (looks > 1) await held;
      return resolve(did);
    });
    await send({ grants: [grantId], attestation: attest(grantId) });
    await until(() => looks > 1);
    await owner.account.close();
    letGo();
    await new Promise((done) => setTimeout(done, 50));
    expect(unhandled).toEqual([]);
  });
});
