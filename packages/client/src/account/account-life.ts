/** How an account comes to be on this device: created, opened again with the passphrase, or restored from twelve words. */

import { bytesToHex, type Did, type Result, utf8ToBytes } from '@sluice/core/base';
import {
  type Argon2Params,
  createHpkeKeyPair,
  createRecoveryPhrase,
  createSigningKey,
  parseRecoveryPhrase,
  recoveryKeys,
  type SigningKey,
  signingKeyFromSeed,
  toAccountRoot,
  unwrapWithPassphrase,
  wrapWithPassphrase,
} from '@sluice/core/crypto';
import { createDeviceCard, createWebvh, originDid, webvhLogPath } from '@sluice/core/identity';
import { inboxStreamId } from '@sluice/core/stream';
import { bytes, encodeCbor, fixed, readShape, tuple } from '@sluice/core/wire';
import { SluiceError } from '../errors.ts';
import { type LiveLink, openLiveLink } from '../link/live-link.ts';
import { createNodeHttp, type NodeFailure } from '../link/node-http.ts';
import type { NodeAddress, OpenedStore, Platform } from '../platform.ts';
import { openSpaceEngine } from '../space/space-engine.ts';
import { CLIENT_TABLES, clearStore, getMeta, setMeta, type StoreDb } from '../store/store-db.ts';
import {
  assembleAccount,
  createSpaceKeys,
  openBootstrapHome,
  type OpenAccount,
  registerSpace,
  VAULT_CONTEXT,
} from './account.ts';
import {
  type AccountSecret,
  decodeAccountSecret,
  encodeAccountSecret,
  openRecoveryBox,
  sealRecoveryBox,
} from './account-box.ts';
import { adminRow } from './device-row.ts';
import { packBytes, unpackBytes } from './keychain.ts';
import { itemToSpace, spaceToItem } from './space-item.ts';

/** What opening an account needs. A store belongs to one process at a time. */
export type AccountOptions = {
  readonly platform: Platform;
  readonly store: OpenedStore;
  readonly passphrase: string;
  /** Cost of the passphrase; the default unless a test lowers it to the floor. */
  readonly argon2?: Argon2Params;
};
/** What a new account needs, beyond what opening one does. */
export type CreateOptions = AccountOptions & {
  /** Origin of the node that hosts the home space, e.g. `https://node.example`. */
  readonly node: string;
  /** An app's account is known by the did:web of its origin; a person's DID is made with the account. */
  readonly appOrigin?: string;
  readonly deviceName?: string;
  readonly invite?: string;
};
/** What joining an account as a new device needs: its node and its twelve words. */
export type RestoreOptions = AccountOptions & {
  readonly node: string;
  readonly phrase: string;
  readonly deviceName?: string;
};

const CONNECT_MS = 15_000;
const SYNC_MS = 120_000;
const localShape = tuple(['secret', bytes(8192)], ['device', fixed(32)]);

/**
 * Creates an account at a node. The recovery phrase is returned once and kept nowhere.
 *
 * Errors: STORE_IN_USE, OFFLINE, NODE_*.
 */
export async function createAccount(
  options: CreateOptions,
): Promise<{ readonly account: OpenAccount; readonly phrase: string }> {
  const { platform, store } = options;
  const { random, clock } = platform;
  prepareStore(store.db);
  const node: NodeAddress = { url: options.node, did: originDid(options.node) };
  const phrase = createRecoveryPhrase(random);
  const device = createSigningKey(random);
  const identityKey = createSigningKey(random);
  const sealing = createHpkeKeyPair(random);
  const updateKeys = [createSigningKey(random), createSigningKey(random), createSigningKey(random)] as const;
  const keys = createSpaceKeys(platform, node);
  const http = createNodeHttp(platform, node);

  const created = await registerSpace(http, keys, keys.root, device, { invite: options.invite });
  if (!created.ok) throw new SluiceError(created.code === 'OFFLINE' ? 'OFFLINE' : `NODE_${created.code}`);

  const parts = {
    identityKey: identityKey.publicKey,
    sealingKey: sealing.publicKey,
    node,
    inbox: { url: node.url, space: keys.space, stream: inboxStreamId(keys.space) },
  };
  let did: Did;
  let didLog: string | undefined;
  if (options.appOrigin) did = originDid(options.appOrigin);
  else {
    const nextKeys = [updateKeys[1].publicKey, updateKeys[2].publicKey];
    const made = await createWebvh({
      domain: new URL(node.url).host,
      document: parts,
      updateKey: updateKeys[0],
      nextKeys,
      clock: { ...clock, nowMs: http.nowMs },
    });
    taken(await http.putDidLog(webvhLogPath(made.did), made.log, device, keys.space));
    did = made.did;
    didLog = made.log;
  }

  const secret: AccountSecret = {
    did,
    root: toAccountRoot(random(32)),
    home: keys.space,
    genesis: keys.genesis,
    homeRoot: keys.root,
    node,
  };
  await storeRecoveryBox(platform, secret, phrase);

  const link = openLiveLink(platform, node, device);
  try {
    const { engine, keychain } = openBootstrapHome({ platform, store, secret, device, link });
    keychain.put('identity', 'me', {
      identitySeed: packBytes(identityKey.seed.reveal()),
      sealingSecret: packBytes(sealing.secret.reveal()),
      updateSeeds: updateKeys.map((k) => packBytes(k.seed.reveal())),
      ...(didLog === undefined ? {} : { didLog }),
    });
    keychain.put('space', 'home', spaceToItem(keys, { app: did, name: VAULT_CONTEXT }));
    putDevice(http.nowMs(), keychain, did, device, identityKey, options.deviceName);
    // Nobody is given words that would open an empty account, should this device be lost in its first minute.
    engine.start();
    await engine.synced(CONNECT_MS);
    engine.close();
    await saveLocal(options, secret, device);
    return { account: assembleAccount({ platform, store, secret, device, link }), phrase };
  } catch (cause) {
    link.close();
    throw cause;
  }
}

/**
 * Opens the account of a local store.
 *
 * Errors: WRONG_PASSPHRASE, NOT_FOUND (the store holds no account).
 */
export async function openAccount(options: AccountOptions): Promise<OpenAccount> {
  const { platform, store } = options;
  store.db.exec(CLIENT_TABLES);
  const { secret, device } = await loadLocal(options);
  const link = openLiveLink(platform, secret.node, device);
  try {
    return assembleAccount({ platform, store, secret, device, link });
  } catch (cause) {
    link.close();
    throw cause;
  }
}

/**
 * Joins an existing account as a new device, from its twelve words and a node address.
 *
 * Errors: STORE_IN_USE, BAD_PHRASE, NOT_RECOVERABLE, OFFLINE, TAMPERED.
 */
export async function restoreAccount(options: RestoreOptions): Promise<OpenAccount> {
  const { platform, store } = options;
  prepareStore(store.db);
  const entropy = parseRecoveryPhrase(options.phrase);
  if (!entropy.ok) throw new SluiceError('BAD_PHRASE');
  const recovery = recoveryKeys(entropy.value.reveal());
  const http = createNodeHttp(platform, { url: options.node });
  const box = await http.getRecovery(recovery.locator, recovery.auth);
  if (!box.ok && box.error.type === 'refused' && box.error.code === 'NOT_FOUND')
    throw new SluiceError('NOT_RECOVERABLE');
  const sealed = taken(box);
  const secret = openRecoveryBox(recovery.boxKey, sealed);
  if (!secret.ok) throw new SluiceError('NOT_RECOVERABLE');

  const device = createSigningKey(platform.random);
  await addDeviceByRoot(options, secret.value, device);
  const link = openLiveLink(platform, secret.value.node, device);
  try {
    await joinHome(options, secret.value, device, link, http.nowMs());
    await saveLocal(options, secret.value, device);
    return assembleAccount({ platform, store, secret: secret.value, device, link });
  } catch (cause) {
    link.close();
    throw cause;
  }
}

/**
 * Makes a store ready for a new account. What an earlier try left half done is cleared: the account itself is written last.
 *
 * Errors: STORE_IN_USE (an account is there, which nothing here overwrites).
 */
function prepareStore(db: StoreDb): void {
  db.exec(CLIENT_TABLES);
  if (getMeta(db, 'account')) throw new SluiceError('STORE_IN_USE');
  clearStore(db);
}

/** The root of the home space signs the row of a new device. It connects as itself, since the device is nobody yet. */
async function addDeviceByRoot(
  { platform, store }: RestoreOptions,
  secret: AccountSecret,
  device: SigningKey,
): Promise<void> {
  const link = openLiveLink(platform, secret.node, secret.homeRoot);
  try {
    await link.ready(CONNECT_MS).catch(() => {
      throw new SluiceError('OFFLINE');
    });
    const { engine } = openBootstrapHome({ platform, store, secret, device: secret.homeRoot, link });
    engine.start({ controlOnly: true });
    await engine.synced(CONNECT_MS);
    await engine.control([{ public: adminRow(device.publicKey), sealed: null }], secret.homeRoot);
    engine.close();
  } finally {
    link.close();
  }
}

/** Brings the keychain here, becomes an admin of every other space, and leaves this device's card in the keychain. */
async function joinHome(
  { platform, store, deviceName }: RestoreOptions,
  secret: AccountSecret,
  device: SigningKey,
  link: LiveLink,
  nowMs: number,
): Promise<void> {
  const { engine, keychain } = openBootstrapHome({ platform, store, secret, device, link });
  engine.start();
  await engine.synced(SYNC_MS);
  const identity = keychain.get('identity', 'me');
  if (!identity) throw new SluiceError('NOT_RECOVERABLE');
  putDevice(nowMs, keychain, secret.did, device, signingKeyFromSeed(unpackBytes(identity.identitySeed)), deviceName);
  await engine.synced(SYNC_MS);
  for (const { id, item } of keychain.list('space')) {
    if (id === 'home') continue;
    const { keys } = itemToSpace(item);
    if (!keys.root) continue;
    const root = openLiveLink(platform, keys.node, keys.root);
    const space = openSpaceEngine({ platform, db: store.db, link: root, keys, writer: keys.root });
    try {
      await root.ready(CONNECT_MS);
      space.start({ controlOnly: true });
      await space.synced(SYNC_MS);
      await space.control([{ public: adminRow(device.publicKey), sealed: null }], keys.root);
    } finally {
      space.close();
      root.close();
    }
  }
  engine.close();
}

/** A card dated by a clock that is ahead would speak for nobody, so `issuedAt` is the node's time where they differ. */
function putDevice(
  issuedAt: number,
  keychain: ReturnType<typeof openBootstrapHome>['keychain'],
  did: Did,
  device: SigningKey,
  identityKey: SigningKey,
  name = 'Device',
): void {
  const card = createDeviceCard({ did, deviceKey: device.publicKey, issuedAt, name }, identityKey);
  keychain.put('device', bytesToHex(device.publicKey), {
    card: packBytes(card),
    name,
    addedAt: new Date(issuedAt).toISOString(),
  });
}

async function storeRecoveryBox(platform: Platform, secret: AccountSecret, phrase: string): Promise<void> {
  const entropy = parseRecoveryPhrase(phrase);
  if (!entropy.ok) throw new SluiceError('BAD_PHRASE');
  const recovery = recoveryKeys(entropy.value.reveal());
  const http = createNodeHttp(platform, secret.node);
  taken(
    await http.putRecovery(recovery.locator, recovery.auth, sealRecoveryBox(recovery.boxKey, secret, platform.random)),
  );
}

function taken<T>(result: Result<T, NodeFailure>): T {
  if (result.ok) return result.value;
  throw new SluiceError(result.error.type === 'offline' ? 'OFFLINE' : `NODE_${result.error.code}`);
}

async function saveLocal(
  { platform, store, passphrase, argon2 }: AccountOptions,
  secret: AccountSecret,
  device: SigningKey,
): Promise<void> {
  const plain = encodeCbor([encodeAccountSecret(secret), device.seed.reveal()]);
  const wrapped = await wrapWithPassphrase(plain, passphrase, argon2, platform.random);
  setMeta(store.db, 'account', wrapped);
  setMeta(store.db, 'did', utf8ToBytes(secret.did));
}

async function loadLocal({
  store,
  passphrase,
  argon2,
}: AccountOptions): Promise<{ secret: AccountSecret; device: SigningKey }> {
  const wrapped = getMeta(store.db, 'account');
  if (!wrapped) throw new SluiceError('NOT_FOUND', 'This store holds no account. Create or restore one.');
  const plain = await unwrapWithPassphrase(wrapped, passphrase, { allowWeak: argon2 !== undefined });
  if (!plain.ok) throw new SluiceError('WRONG_PASSPHRASE');
  const local = readShape(localShape, plain.value, 16_384);
  const secret = local.ok ? decodeAccountSecret(local.value.secret) : local;
  if (!local.ok || !secret.ok) throw new SluiceError('STORE_CORRUPT');
  return { secret: secret.value, device: signingKeyFromSeed(local.value.device) };
}
