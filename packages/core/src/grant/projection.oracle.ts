/** A slow and plain reading of field terms, value by value, for the property test of the projection. */

import { createHmac } from 'node:crypto';
import type { JsonObject, JsonValue } from '../base/json.ts';
import type { GrantSecret } from '../crypto/keys.ts';
import type { FieldTerm } from './field-term.ts';

/** One value of a document. Lists are transparent: their items have the path of the list. */
export type Leaf = { readonly path: string; readonly value: JsonValue };

type Read = { readonly path: string; readonly transform?: unknown };

/** The values that the terms allow of a record, each as it may be seen. */
export function naiveLeaves(record: JsonObject, fields: readonly FieldTerm[], secret: GrantSecret): Leaf[] {
  const terms = fields.map((term): Read => (typeof term === 'string' ? { path: term } : term));
  const drops = terms.filter((t) => t.transform === 'drop').map((t) => t.path);
  const changes = terms.filter((t) => t.transform !== undefined && t.transform !== 'drop');
  const plain = terms.filter((t) => t.transform === undefined).map((t) => t.path);
  const all = plain.length === 0 && changes.length === 0;
  const under = (path: string, paths: readonly string[]): boolean =>
    paths.some((p) => path === p || path.startsWith(`${p}.`));

  const visit = (value: JsonValue, path: string): Leaf[] => {
    if (under(path, drops)) return [];
    const change = changes.find((c) => c.path === path);
    if (Array.isArray(value)) return value.flatMap((item: JsonValue) => visit(item, path));
    if (change) {
      const seen = value === null ? undefined : naiveChange(value, change, secret);
      return seen === undefined ? [] : [{ path, value: seen }];
    }
    if (typeof value === 'object' && value !== null)
      return Object.keys(value).flatMap((name) =>
        visit((value as JsonObject)[name] as JsonValue, path === '' ? name : `${path}.${name}`),
      );
    return all || under(path, plain) ? [{ path, value }] : [];
  };
  const { _id, _rev, schema, ...rest } = record;
  return Object.keys(rest).flatMap((name) => visit(rest[name] as JsonValue, name));
}

function naiveChange(value: JsonValue, { path, transform }: Read, secret: GrantSecret): JsonValue | undefined {
  if (transform === 'pseudonym')
    return createHmac('sha256', secret)
      .update(`pseudonym/${path}/${sorted(value)}`)
      .digest()
      .subarray(0, 16)
      .toString('base64url');
  if (transform === 'year') return typeof value === 'string' && isDate(value) ? value.slice(0, 4) : undefined;
  const { round } = transform as { round: number };
  if (typeof value !== 'number') return undefined;
  // The multiple at or below and the one above: the nearer one, and of two equally near the upper.
  const below = Math.floor(value / round);
  const nearer = value / round - below < 0.5 ? below : below + 1;
  return Number((nearer * round).toPrecision(15));
}

const isDate = (text: string): boolean => {
  const [day] = text.split('T');
  if (!/^\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}:\d{2}Z)?)?)?$/.test(text)) return false;
  const at = new Date(`${(day as string).padEnd(10, '-01').slice(0, 10)}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(day as string);
};

/** JSON with sorted keys, by another way than the code's. */
const sorted = (value: JsonValue): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
