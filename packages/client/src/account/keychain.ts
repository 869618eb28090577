/**
 * The account's keychain: a collection of its home space, sealed under a key derived from the account root alone. It holds the keys
 * of every space, grant and request, so that any device with the root has them all.
 */

import { base64urlToBytes, bytesToBase64url, type JsonObject, type JsonValue } from '@sluice/core/base';
import {
  type AccountRoot,
  hkdf,
  keychainKey,
  streamId,
  streamTagKey,
  toAeadKey,
  toTagSecret,
} from '@sluice/core/crypto';
import { parseFilter } from '@sluice/core/filter';
import { FIRST_EPOCH } from '@sluice/core/stream';
import { STREAM_KIND } from '@sluice/core/wire';
import type { Collection, CollectionKeys, CollectionShape } from '../store/collection.ts';
import type { StoreDb } from '../store/store-db.ts';

/** Name of the collection of the home space that holds the account’s keys. */
export const KEYCHAIN = 'keychain';
const SHAPE: CollectionShape = { indexes: [{ name: 'kind', fields: ['kind'] }], formats: new Map(), merges: new Map() };

/** What an item of the keychain is about. */
export type KeychainKind =
  | 'identity'
  | 'space'
  | 'epoch'
  | 'grant'
  | 'grant-fact'
  | 'received'
  | 'request'
  | 'device'
  | 'session'
  | 'agent'
  | HandedKind;

/** What an item of the collection is about that the owner shares with one agent, and which is read like a keychain (spec/agent.md). */
export type HandedKind = 'collection' | 'writes' | 'schema' | 'card' | 'seen' | 'wanted';

/** The keys and agreements of an account, on all its devices the same. */
export type Keychain = {
  readonly get: (kind: KeychainKind, id: string) => JsonObject | undefined;
  /** Writes one item whole. */
  readonly put: (kind: KeychainKind, id: string, item: JsonObject) => void;
  readonly list: (kind: KeychainKind) => readonly { readonly id: string; readonly item: JsonObject }[];
  readonly remove: (kind: KeychainKind, id: string) => void;
  /** Calls back for items that other devices of the account wrote. */
  readonly onArrival: (kind: KeychainKind, listener: (id: string, item: JsonObject) => void) => () => void;
  readonly collection: Collection;
  /** Calls back when what was put in a transaction is undone with it. */
  readonly onRollback: (listener: () => void) => void;
};

/**
 * What the keychain collection is sealed and named with: nothing but the account root. A new epoch of the space changes no key of it, but is
 * named in its entries, since the node takes none of an older one. `announced` is the space's epoch as its control log says.
 */
export function keychainKeys(root: AccountRoot, announced: () => number): CollectionKeys {
  const key = toAeadKey(keychainKey(root));
  const tagSecret = toTagSecret(hkdf(root, 'keychain-tags'));
  const stream = streamId(STREAM_KIND.own, tagSecret, KEYCHAIN);
  return {
    stream,
    tagKey: streamTagKey(tagSecret, stream),
    snapshotKey: toAeadKey(hkdf(root, 'keychain-snapshot')),
    epoch: () => Math.max(FIRST_EPOCH, announced()),
    keyOf: () => key,
  };
}

/** How the keychain is indexed. */
export const keychainShape = SHAPE;

/** Every page of a feed and every control entry asks for these, and there may be thousands of them: they are held, not looked up. */
const HELD: ReadonlySet<KeychainKind> = new Set(['grant', 'received', 'agent']);

/** Reads and writes the keychain as items of a kind. `db` is the store that the collection is in. */
export function createKeychain(collection: Collection, db: Pick<StoreDb, 'onRollback'>): Keychain {
  const name = (kind: KeychainKind, id: string): string => `${kind}/${id}`;
  const strip = (record: JsonObject): JsonObject => (record.item ?? {}) as JsonObject;
  const find = (kind: KeychainKind): { readonly id: string; readonly item: JsonObject }[] => {
    const filter = parseFilter({ kind });
    if (!filter.ok) return [];
    return collection
      .query(filter.value, 0, {})
      .records.map((r) => ({ id: String(r._id).slice(kind.length + 1), item: strip(r) }));
  };
  const held = new Map<string, Map<string, JsonObject>>();
  const heldOf = (kind: KeychainKind): Map<string, JsonObject> => {
    const items = held.get(kind) ?? new Map(find(kind).map(({ id, item }) => [id, item]));
    held.set(kind, items);
    return items;
  };
  collection.onChange(({ id: place, record }) => {
    const kind = place.slice(0, place.indexOf('/'));
    const id = place.slice(kind.length + 1);
    if (record) held.get(kind)?.set(id, strip(record));
    else held.get(kind)?.delete(id);
  });
  db.onRollback(() => held.clear());
  return {
    collection,
    get: (kind, id) => {
      if (HELD.has(kind)) return heldOf(kind).get(id);
      const record = collection.get(name(kind, id));
      return record && strip(record);
    },
    put: (kind, id, item) => {
      collection.save([{ id: name(kind, id), document: { kind, item: item as JsonValue }, force: true }]);
    },
    list: (kind) => (HELD.has(kind) ? [...heldOf(kind)].map(([id, item]) => ({ id, item })) : find(kind)),
    remove: (kind, id) => {
      collection.remove([name(kind, id)]);
    },
    onRollback: db.onRollback,
    onArrival: (kind, listener) =>
      collection.onChange(({ origin, record }) => {
        if (origin === 'other' && record?.kind === kind)
          listener(String(record._id).slice(kind.length + 1), strip(record));
      }),
  };
}

/** Bytes in keychain items are base64url text. */
export const packBytes = bytesToBase64url;

/** Reads bytes of a keychain item. Throws TypeError on another form: the keychain is our own writing. */
export function unpackBytes(value: JsonValue | undefined): Uint8Array {
  if (typeof value !== 'string') throw new TypeError('the keychain item lacks a key');
  return base64urlToBytes(value);
}
