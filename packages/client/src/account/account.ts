/** An opened account: its identity, its home space, its keychain and its other spaces. Everything else of the SDK starts here. */

import {
  bytesToHex,
  bytesToUtf8,
  type Did,
  equalBytes,
  type Random,
  type SpaceId,
  utf8ToBytes,
} from '@sluice/core/base';
import {
  type AccountRoot,
  createSigningKey,
  hkdf,
  hmacSha256,
  type HpkeKeyPair,
  hpkeKeyPairFromSecret,
  openAead,
  sealAead,
  type SigningKey,
  signingKeyFromSeed,
  toAeadKey,
  toEpochKey,
  toTagSecret,
  type VerifyKey,
} from '@sluice/core/crypto';
import { createDidResolver, type DidResolver, type PinStore } from '@sluice/core/identity';
import { createGenesis, isLive } from '@sluice/core/stream';
import { encodePush, MAX_BATCH_ENTRIES } from '@sluice/core/wire';
import { SluiceError } from '../errors.ts';
import type { LiveLink } from '../link/live-link.ts';
import { createNodeHttp, type NodeHttp } from '../link/node-http.ts';
import type { NodeAddress, OpenedStore, Platform } from '../platform.ts';
import { type Alarm, openSpaceEngine, type SpaceEngine } from '../space/space-engine.ts';
import type { SpaceKeys } from '../space/space-keys.ts';
import { getMeta, setMeta } from '../store/store-db.ts';
import { createTurns } from '../turns.ts';
import { firstAdminEntries } from './device-row.ts';
import { followEpochs } from './epochs.ts';
import {
  createKeychain,
  KEYCHAIN,
  type Keychain,
  keychainKeys,
  keychainShape,
  packBytes,
  unpackBytes,
} from './keychain.ts';
import type { AccountSecret } from './account-box.ts';
import { type ContextName, itemToSpace, spaceToItem } from './space-item.ts';

/** The Vault's own context: the home space. */
export const VAULT_CONTEXT = 'Verida: Vault';

/** An account with its keys unlocked and its home space followed: what messaging, sharing and connect are built on. */
export type OpenAccount = {
  readonly did: Did;
  readonly platform: Platform;
  readonly store: OpenedStore;
  readonly secret: AccountSecret;
  readonly device: SigningKey;
  /** The device's card, signed by the identity key. */
  readonly card: Uint8Array;
  readonly identityKey: SigningKey;
  readonly sealing: HpkeKeyPair;
  readonly link: LiveLink;
  readonly http: NodeHttp;
  readonly home: SpaceEngine;
  readonly keychain: Keychain;
  readonly resolver: DidResolver;
  /** The spaces of this account other than home, by keychain id. */
  readonly contexts: () => readonly { readonly context: ContextName; readonly space: SpaceId }[];
  /** Opens a context's space; `create` makes it when it is absent. */
  readonly openContext: (context: ContextName, create: boolean) => Promise<SpaceEngine | undefined>;
  readonly engineOf: (space: SpaceId) => SpaceEngine | undefined;
  readonly onAlarm: (listener: (alarm: Alarm) => void) => () => void;
  /** Resolves when the home space (and every opened one) is in step with the node. */
  readonly synced: (timeoutMs?: number) => Promise<void>;
  /** Whether `close` was called: what is still under way must not touch the store. */
  readonly closed: () => boolean;
  readonly close: () => Promise<void>;
};

const SYNC_TIMEOUT_MS = 30_000;

/** The parts an account is put together from, once it was made, opened or restored. */
export type Assembly = {
  readonly platform: Platform;
  readonly store: OpenedStore;
  readonly secret: AccountSecret;
  readonly device: SigningKey;
  readonly link: LiveLink;
};

/** Builds the account over a home space whose keychain is already in the replica. */
export function assembleAccount({ platform, store, secret, device, link }: Assembly): OpenAccount {
  const { db } = store;
  const bootstrap = openBootstrapHome({ platform, store, secret, device, link });
  const homeItem = bootstrap.keychain.get('space', 'home');
  const identity = bootstrap.keychain.get('identity', 'me');
  const deviceItem = bootstrap.keychain.get('device', bytesToHex(device.publicKey));
  if (!homeItem || !identity || !deviceItem)
    throw new SluiceError('NOT_FOUND', 'The keychain is not complete yet. Connect to the node once.');
  bootstrap.engine.close();

  const home = openSpaceEngine({ platform, db, link, keys: itemToSpace(homeItem).keys, writer: device });
  const keychain = openKeychain(home, secret.root, db);
  const alarms = new Set<(alarm: Alarm) => void>();
  let closed = false;
  const engines = new Map<string, SpaceEngine>([[bytesToHex(home.keys.space), home]]);
  const http = createNodeHttp(platform, secret.node);
  const watch = (engine: SpaceEngine): void => {
    engine.onAlarm((alarm) => {
      for (const listener of alarms) listener(alarm);
    });
  };
  watch(home);
  followEpochs(home, keychain);

  const openSpace = (keys: SpaceKeys): SpaceEngine => {
    const id = bytesToHex(keys.space);
    const known = engines.get(id);
    if (known) return known;
    const engine = openSpaceEngine({ platform, db, link, keys, writer: device });
    engines.set(id, engine);
    watch(engine);
    followEpochs(engine, keychain);
    engine.start();
    return engine;
  };

  const findContext = (context: ContextName): SpaceKeys | undefined =>
    keychain
      .list('space')
      .map(({ item }) => itemToSpace(item))
      .find((s) => s.context.app === context.app && s.context.name === context.name)?.keys;

  const turns = createTurns();
  /** The account's devices are the admins of its home space. */
  const devices = (): readonly VerifyKey[] =>
    [...home.access.rows.values()]
      .filter((row) => row.role === 'admin' && isLive(row, link.nodeMs()))
      .map((row) => row.key as VerifyKey);
  /** Of two spaces for one context only one would be found again, with what was saved in it alone: so it is looked for once more. */
  const makeContext = async (context: ContextName): Promise<SpaceEngine> => {
    if (!findContext(context)) await home.synced(SYNC_TIMEOUT_MS);
    const known = findContext(context);
    if (known) return openSpace(known);
    const made = await createSpace(platform, secret.node, http, device, devices());
    keychain.put('space', packBytes(made.space), spaceToItem(made, context));
    home.nudge();
    return openSpace(made);
  };

  return {
    did: secret.did,
    platform,
    store,
    secret,
    device,
    card: unpackBytes(deviceItem.card),
    identityKey: signingKeyFromSeed(unpackBytes(identity.identitySeed)),
    sealing: hpkeKeyPairFromSecret(unpackBytes(identity.sealingSecret)),
    link,
    http,
    home,
    keychain,
    resolver: createDidResolver({
      fetchText: platform.fetchText,
      // By a clock that was set back, what others have published since would look as if it were not written yet.
      clock: { ...platform.clock, nowMs: () => link.nodeSpan()?.toMs ?? platform.clock.nowMs() },
      pins: storePins(store, secret.root, platform.random),
    }),
    contexts: () =>
      keychain.list('space').flatMap(({ id, item }) => {
        if (id === 'home') return [];
        const { keys, context } = itemToSpace(item);
        return [{ context, space: keys.space }];
      }),
    openContext: async (context, create) => {
      if (context.app === secret.did && context.name === VAULT_CONTEXT) return home;
      const keys = findContext(context);
      if (keys) return openSpace(keys);
      return create ? turns(JSON.stringify([context.app, context.name]), () => makeContext(context)) : undefined;
    },
    engineOf: (space) => engines.get(bytesToHex(space)),
    onAlarm: (listener) => {
      alarms.add(listener);
      return () => alarms.delete(listener);
    },
    synced: async (timeoutMs = SYNC_TIMEOUT_MS) => {
      await Promise.all([...engines.values()].map((engine) => engine.synced(timeoutMs)));
    },
    closed: () => closed,
    close: async () => {
      if (closed) return;
      closed = true;
      for (const engine of engines.values()) engine.close();
      link.close();
      db.close();
      store.release();
    },
  };
}

/** The home space with nothing but the account root: only its keychain can be read. */
export function openBootstrapHome({ platform, store, secret, device, link }: Assembly): {
  readonly engine: SpaceEngine;
  readonly keychain: Keychain;
} {
  const keys: SpaceKeys = {
    space: secret.home,
    node: secret.node,
    genesis: secret.genesis,
    tagSecret: toTagSecret(new Uint8Array(32)),
    epochs: new Map([[1, toEpochKey(new Uint8Array(32))]]),
  };
  const engine = openSpaceEngine({ platform, db: store.db, link, keys, writer: device });
  return { engine, keychain: openKeychain(engine, secret.root, store.db) };
}

const openKeychain = (home: SpaceEngine, root: AccountRoot, db: OpenedStore['db']): Keychain =>
  createKeychain(
    home.collection(
      KEYCHAIN,
      keychainShape,
      keychainKeys(root, () => home.access.epoch),
    ),
    db,
  );

/** Fresh random keys for a space, with its signed genesis. */
export function createSpaceKeys(
  platform: Pick<Platform, 'random'>,
  node: NodeAddress,
): SpaceKeys & { readonly root: SigningKey } {
  const { random } = platform;
  const root = createSigningKey(random);
  const genesis = createGenesis(root, node.did, random);
  return {
    space: genesis.space,
    genesis: genesis.signed,
    node,
    tagSecret: toTagSecret(random(32)),
    epochs: new Map([[1, toEpochKey(random(32))]]),
    ctlKey: toAeadKey(random(32)),
    root,
  };
}

/** Creates a space at the node, with `device` and the others as its admins. */
async function createSpace(
  platform: Platform,
  node: NodeAddress,
  http: NodeHttp,
  device: SigningKey,
  others: readonly VerifyKey[],
): Promise<SpaceKeys> {
  const keys = createSpaceKeys(platform, node);
  const created = await registerSpace(http, keys, keys.root, device, { others });
  if (!created.ok) throw new SluiceError(created.code === 'OFFLINE' ? 'OFFLINE' : `NODE_${created.code}`);
  return keys;
}

/** Sends a genesis and the first admin rows, signed by the space's root. */
export async function registerSpace(
  http: NodeHttp,
  keys: SpaceKeys,
  root: SigningKey,
  device: SigningKey,
  { invite, others = [] }: { readonly invite?: string | undefined; readonly others?: readonly VerifyKey[] } = {},
) {
  const devices = [device.publicKey, ...others.filter((key) => !equalBytes(key, device.publicKey))];
  const send = () => {
    const entries = firstAdminEntries(root, keys.space, devices.slice(0, MAX_BATCH_ENTRIES), http.nowMs());
    return http.createSpace(keys.genesis, encodePush([{ type: 'ctl', entries }]), device, invite);
  };
  let answer = await send();
  // The refusal told the node's time.
  if (!answer.ok && answer.error.type === 'refused' && answer.error.code === 'CLOCK_SKEW') answer = await send();
  if (answer.ok) return { ok: true } as const;
  return { ok: false, code: answer.error.type === 'offline' ? 'OFFLINE' : answer.error.code } as const;
}

/** Highest DID versions seen, kept in the store: named by a pseudonym and sealed, since they tell whom this account deals with. */
function storePins({ db }: OpenedStore, root: AccountRoot, random: Random): PinStore {
  const key = toAeadKey(hkdf(root, 'did-pins'));
  const name = (did: Did): string => `did-pin/${bytesToHex(hmacSha256(key, utf8ToBytes(did)))}`;
  return {
    get: async (did) => {
      const sealed = getMeta(db, name(did));
      const opened = sealed && openAead(key, utf8ToBytes(did), sealed);
      return opened?.ok ? bytesToUtf8(opened.value) : undefined;
    },
    set: async (did, versionId) =>
      setMeta(db, name(did), sealAead(key, utf8ToBytes(did), utf8ToBytes(versionId), random)),
  };
}
