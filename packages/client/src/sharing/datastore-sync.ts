/**
 * Verida's message that asks to keep a datastore equal (`inbox/type/datastoreSync`). It names a schema, a filter and a direction, and hands
 * over a database key, which nothing here uses. Alone it can be shown but not agreed to: there is no key that an answer could be sealed
 * to. With a signed request of ours beside it, it is one.
 */

import { err, isJsonObject, type JsonObject, jsonEquals, ok, type Result, shownValue } from '@sluice/core/base';
import { filterFailureText, parseFilter } from '@sluice/core/filter';
import { type GrantAccess, type GrantTerms, MAX_SCHEMA_ID } from '@sluice/core/grant';
import type { LoadedSchema } from '../schema/index.ts';
import { isUnknown, type UnknownItem } from './sync-request.ts';
import { type RequestItem, toTerms } from './terms.ts';

/** Type of Verida's message. */
export const DATASTORE_SYNC = 'inbox/type/datastoreSync';

/** Which way records go, seen from the owner: `pull` lets the other side write here, `push` lets it read, `both` is both. */
export type SyncDirection = 'pull' | 'push' | 'both';
/** What Verida's message says that counts here. */
export type DatastoreSync = {
  readonly schema: string;
  readonly filter?: JsonObject;
  readonly direction: SyncDirection;
};

/** Why a message of Verida's alone can only be declined. */
export const NO_KEY_TO_ANSWER =
  'This request carries no key that an answer could be sealed to, so it can only be declined. An app that asks with Sluice can be agreed to.';

const ACCESS: { readonly [direction in SyncDirection]: GrantAccess } = {
  pull: 'write',
  push: 'read',
  both: 'readwrite',
};

/** The terms that a direction stands for: all of the schema, or what the filter lets through, until revoked. */
export const toItem = ({ schema, filter = {}, direction }: DatastoreSync): RequestItem => ({
  schema,
  filter,
  access: ACCESS[direction],
  // What is kept equal is also deleted; each write waits for the owner's yes.
  ...(direction === 'push' ? {} : { write: { operations: ['insert', 'update', 'delete'] } }),
});

/** Reads the payload; whatever else it holds, a key of a database included, is left alone. Result: or what is wrong with it. */
export function readDatastoreSync(data: JsonObject): Result<DatastoreSync, string> {
  const { schema, filter = {}, direction } = data;
  if (typeof schema !== 'string' || schema === '' || schema.length > MAX_SCHEMA_ID)
    return err(`schema is ${shownValue(schema)}; allowed is a text of 1 to ${MAX_SCHEMA_ID} characters`);
  if (!isJsonObject(filter)) return err(`filter is ${shownValue(filter)}; allowed is an object`);
  return direction === 'pull' || direction === 'push' || direction === 'both'
    ? ok({ schema, filter, direction })
    : err(`direction is ${shownValue(direction)}; allowed is "pull", "push" or "both"`);
}

/** The terms of a message that stands alone. A schema that is not known here is not looked for elsewhere. */
export async function termsOf(
  sync: DatastoreSync,
  loadKnown: (id: string) => Promise<LoadedSchema | undefined>,
): Promise<Result<GrantTerms | UnknownItem, string>> {
  const schema = await loadKnown(sync.schema);
  if (!schema) return ok({ unknownSchema: sync.schema });
  const filter = parseFilter(sync.filter ?? {}, schema.formats);
  return filter.ok ? ok(await toTerms(toItem(sync), async () => schema)) : err(filterFailureText(filter.error));
}

/** Whether a signed request asks for just what the message around it says: what is shown must be what is signed. */
export async function saysTheSame(
  sync: DatastoreSync,
  items: readonly (GrantTerms | UnknownItem)[],
  loadKnown: (id: string) => Promise<LoadedSchema | undefined>,
): Promise<boolean> {
  const [item, ...more] = items;
  if (!item || more.length > 0) return false;
  if (isUnknown(item)) return item.unknownSchema === sync.schema;
  const schema = await loadKnown(sync.schema);
  return (
    schema?.id === item.schema && item.access === ACCESS[sync.direction] && jsonEquals(item.filter, sync.filter ?? {})
  );
}
