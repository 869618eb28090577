/** What tests of messages need: a look into the inbox at the node, messages made by hand, and devices that resolve DIDs as told. */

import { join } from 'node:path';
import { Account, type Platform, SluiceError } from '@sluice/client';
import { openNodeStore } from '@sluice/client/node';
import { type Did, err, type JsonObject, ok, systemRandom, toDid, toWriterId } from '@sluice/core/base';
import { createSigningKey } from '@sluice/core/crypto';
import { buildDidDocument, type FetchText, type Identity, type InboxService } from '@sluice/core/identity';
import { createMessageId, type Message, type MessageSender, sealMessage } from '@sluice/core/message';
import type { PageEntry } from '@sluice/core/wire';
import { NODE_ORIGIN, type Persona, TEST_ARGON2, type TestNetwork } from '../test-network.ts';

/** The code that work rejects with, or `done`. */
export const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (cause: unknown) => (cause instanceof SluiceError ? cause.code : String(cause)),
  );

/** What the node holds in somebody's inbox: the first page after a number. */
export function inboxAt(net: TestNetwork, { account }: Persona, after = 0): readonly PageEntry[] {
  const page = net.storage.readPage({
    space: account.open.home.keys.space,
    log: { type: 'inbox' },
    after,
    except: toWriterId(new Uint8Array(16)),
    whole: false,
    nowMs: net.clock.nowMs(),
  });
  return page.entries;
}

/** The sender that an account is to others. */
export const senderOf = ({ account }: Persona): MessageSender => ({
  did: account.did,
  key: account.open.device,
  card: account.open.card,
});
/** A sender with a key of its own, under somebody else's name. */
export const thief = (did: Did): MessageSender => ({
  did,
  key: createSigningKey(systemRandom),
  card: new Uint8Array(),
});

/** Seals a message by hand, with whatever is to be different about it. */
export async function sealTo(
  net: TestNetwork,
  to: Persona,
  sender: MessageSender,
  more: Partial<Message> = {},
): Promise<Uint8Array> {
  const nowMs = net.clock.nowMs();
  const message: Message = {
    id: createMessageId(systemRandom),
    type: 'inbox/type/message',
    from: sender.did,
    to: to.account.did,
    message: 'by hand',
    data: { subject: 's', message: 'by hand' },
    createdMs: nowMs,
    expiresMs: nowMs + 60_000,
    ...more,
  };
  const sealed = await sealMessage(message, sender, {
    did: to.account.did,
    sealingKey: to.account.open.sealing.publicKey,
  });
  if (!sealed.ok) throw new Error(sealed.error.type);
  return sealed.value;
}

/** Leaves sealed messages in an inbox, as anybody may. */
export const leave = (to: Persona, ...sealed: readonly Uint8Array[]): Promise<unknown> =>
  to.account.open.http.deposit(to.account.open.home.keys.space, sealed);

/** Opens a persona's account again on a platform that differs. */
export async function reopenOn(net: TestNetwork, persona: Persona, change: Partial<Platform>): Promise<Account> {
  const platform: Platform = { ...net.platform, ...change };
  return Account.open({
    platform,
    store: openNodeStore(persona.store),
    passphrase: 'test passphrase',
    argon2: TEST_ARGON2,
  });
}

/** A further device of a persona, which the caller closes, on a platform that differs. */
export async function deviceOn(
  net: TestNetwork,
  { phrase }: Persona,
  name: string,
  change: Partial<Platform>,
): Promise<Account> {
  return Account.restore({
    platform: { ...net.platform, ...change },
    store: openNodeStore(join(net.directory, name)),
    node: NODE_ORIGIN,
    passphrase: 'test passphrase',
    argon2: TEST_ARGON2,
    phrase,
    deviceName: name,
  });
}

/** The identity that somebody publishes. */
export async function identityOf(persona: Persona): Promise<Identity> {
  const found = await persona.account.open.resolver.resolve(persona.account.did);
  if (!found.ok) throw new Error(found.error.type);
  return found.value;
}

/** What a host publishes, or how it does not. */
export type Hosts = { [host: string]: JsonObject | 'not-found' | 'unreachable' };

/** Fetches as the network does, except that these hosts publish what stands here at the time. */
export const publishing =
  (net: TestNetwork, hosts: Hosts): FetchText =>
  async (url, limits) => {
    const published = hosts[url.host];
    if (published === undefined) return net.platform.fetchText(url, limits);
    return typeof published === 'string' ? err({ type: published }) : ok(JSON.stringify(published));
  };

/** A DID document with a fresh identity key. */
export const documentOf = (did: string, sealingKey: Uint8Array, inbox?: InboxService): JsonObject =>
  buildDidDocument({
    did: toDid(did),
    identityKey: createSigningKey(systemRandom).publicKey,
    sealingKey,
    ...(inbox ? { inbox } : {}),
  });

/** A record as a clinic issues it: signed three ways, and with everything that an owner decides about. */
export const issued = (more: JsonObject = {}): JsonObject => ({
  _id: 'chosen-by-the-sender',
  _rev: '9-000000000000000000000000',
  schema: 'credential/base',
  name: 'Glucose',
  credentialSchema: 'https://clinic.example/glucose',
  insertedAt: '2001-01-01T00:00:00.000Z',
  modifiedAt: '2001-01-01T00:00:00.000Z',
  sourceApplication: 'https://somebody-else.example',
  sourceAccountId: 'did:web:somebody-else.example',
  signatures: { 'did:web:clinic.example': { secp256k1: '0xabc' } },
  proof: { type: 'DataIntegrityProof', proofValue: 'z3FXQ' },
  credentialData: { level: 5.4, nested: [{ a: null }] },
  ...more,
});
