/** Spaces as keychain items: how a space's keys are written down and read back. */

import { isDid, type JsonObject, type JsonValue, toSpaceId } from '@sluice/core/base';
import { type EpochKey, signingKeyFromSeed, toAeadKey, toEpochKey, toTagSecret } from '@sluice/core/crypto';
import type { SpaceKeys } from '../space/space-keys.ts';
import { packBytes, unpackBytes } from './keychain.ts';

/** A context is named by its application and a name, never by a name alone. */
export type ContextName = { readonly app: string; readonly name: string };

/** Writes a space's keys as a keychain item. */
export function spaceToItem(keys: SpaceKeys, context: ContextName): JsonObject {
  const epochs: Record<string, JsonValue> = {};
  for (const [n, key] of keys.epochs) epochs[String(n)] = packBytes(key);
  return {
    app: context.app,
    name: context.name,
    space: packBytes(keys.space),
    genesis: packBytes(keys.genesis),
    nodeUrl: keys.node.url,
    nodeDid: keys.node.did,
    tagSecret: packBytes(keys.tagSecret),
    ...(keys.ctlKey ? { ctlKey: packBytes(keys.ctlKey) } : {}),
    ...(keys.root ? { root: packBytes(keys.root.seed.reveal()) } : {}),
    epochs,
  };
}

/** Reads a space's keys back. Throws TypeError on another form. */
export function itemToSpace(item: JsonObject): { readonly keys: SpaceKeys; readonly context: ContextName } {
  const did = item.nodeDid;
  if (!isDid(did) || typeof item.nodeUrl !== 'string') throw new TypeError('the keychain item lacks the node');
  const epochs = new Map<number, EpochKey>();
  for (const [n, key] of Object.entries((item.epochs ?? {}) as JsonObject))
    epochs.set(Number(n), toEpochKey(unpackBytes(key)));
  const keys: SpaceKeys = {
    space: toSpaceId(unpackBytes(item.space)),
    genesis: unpackBytes(item.genesis),
    node: { url: item.nodeUrl, did },
    tagSecret: toTagSecret(unpackBytes(item.tagSecret)),
    epochs,
    ...(item.ctlKey === undefined ? {} : { ctlKey: toAeadKey(unpackBytes(item.ctlKey)) }),
    ...(item.root === undefined ? {} : { root: signingKeyFromSeed(unpackBytes(item.root)) }),
  };
  return { keys, context: { app: String(item.app), name: String(item.name) } };
}
