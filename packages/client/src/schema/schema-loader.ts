/**
 * Finds schemas by bundled name, `$id`, file: or https:, once each. A schema is its `$id`, never the place it was loaded from. Bundled
 * ones run ahead-compiled validators; all others an interpreter, never generated code.
 */

import { err, isJsonObject, type JsonObject, jsonEquals, ok, parseJson, type Result } from '@sluice/core/base';
import { bundledAliases } from '@sluice/schemas';
import type { Platform } from '../platform.ts';
import { describeBundled, describeForeign, type LoadedSchema } from './loaded-schema.ts';

/** Why a schema cannot be had or used. */
export type SchemaFailure =
  | { readonly type: 'not-found' | 'unreachable' | 'too-large' | 'too-deep' | 'malformed' }
  /** The body cannot be used; `text` says why. */
  | { readonly type: 'bad-schema'; readonly text: string }
  /** Another body is known under the same `$id`. */
  | { readonly type: 'schema-mismatch' };

/** Loads a schema by bundled name (`social/contact`), `$id`, file: or https: address. */
export type SchemaLoader = {
  readonly load: (uri: string) => Promise<Result<LoadedSchema, SchemaFailure>>;
  /** Takes a body that was kept from an earlier loading. */
  readonly adopt: (body: JsonObject) => Result<LoadedSchema, SchemaFailure>;
};
/** Where schemas come from: either may be absent. */
export type SchemaLoaderDeps = Partial<Pick<Platform, 'fetchText' | 'readFile'>>;

/** The largest schema from elsewhere (SCH-3). */
const MAX_SCHEMA_BYTES = 256 * 1024;
/** The deepest schema from elsewhere (SCH-3). */
const MAX_SCHEMA_DEPTH = 32;
const FETCH_MS = 10_000;

/**
 * Creates a loader with its own cache: a schema that was loaded stays as it was for as long as the loader lives.
 *
 * Errors (of `load`): not-found, unreachable, too-large (256 KiB), too-deep (32), malformed, bad-schema, schema-mismatch.
 */
export function createSchemaLoader({ fetchText, readFile }: SchemaLoaderDeps): SchemaLoader {
  const byUri = new Map<string, LoadedSchema>();
  const byId = new Map<string, LoadedSchema>();

  const keep = (uri: string, schema: LoadedSchema): Result<LoadedSchema, SchemaFailure> => {
    const known = byId.get(schema.id);
    if (known && known.hash !== schema.hash) return err({ type: 'schema-mismatch' });
    const one = known ?? schema;
    byId.set(one.id, one);
    byUri.set(uri, one);
    return ok(one);
  };

  const textOf = async (uri: string): Promise<Result<string, SchemaFailure>> => {
    if (!URL.canParse(uri)) return err({ type: 'not-found' });
    const url = new URL(uri);
    if (url.protocol === 'file:') {
      const path = filePath(url);
      if (!readFile || path === undefined) return err({ type: 'not-found' });
      const read = await readFile(path);
      return read.ok ? read : err({ type: read.error.type === 'too-large' ? 'too-large' : 'not-found' });
    }
    if (url.protocol !== 'https:' || !fetchText) return err({ type: 'not-found' });
    const fetched = await fetchText(url, { maxBytes: MAX_SCHEMA_BYTES, timeoutMs: FETCH_MS });
    if (fetched.ok) return fetched;
    const { type } = fetched.error;
    return err({ type: type === 'too-large' || type === 'not-found' ? type : 'unreachable' });
  };

  return {
    load: async (uri) => {
      const known = byUri.get(uri) ?? byId.get(uri);
      if (known) return ok(known);
      const bundled = describeBundled(bundledAliases.get(uri) ?? uri);
      if (bundled) return keep(uri, bundled);
      const text = await textOf(uri);
      if (!text.ok) return text;
      const schema = readSchema(text.value);
      return schema.ok ? keep(uri, schema.value) : schema;
    },
    adopt: (body) => {
      const schema = readBody(body);
      return schema.ok ? keep(schema.value.id, schema.value) : schema;
    },
  };
}

/** Reads a schema body that came from elsewhere. */
function readSchema(text: string): Result<LoadedSchema, SchemaFailure> {
  const parsed = parseJson(text, { maxBytes: MAX_SCHEMA_BYTES, maxDepth: MAX_SCHEMA_DEPTH });
  if (!parsed.ok) return parsed;
  return isJsonObject(parsed.value) ? readBody(parsed.value) : err({ type: 'malformed' });
}

function readBody(body: JsonObject): Result<LoadedSchema, SchemaFailure> {
  // A body under a bundled id is the bundled schema or an impostor.
  const bundled = typeof body.$id === 'string' ? describeBundled(body.$id) : undefined;
  if (bundled) return jsonEquals(body, bundled.body) ? ok(bundled) : err({ type: 'schema-mismatch' });
  const schema = describeForeign(body);
  return schema.ok ? schema : err({ type: 'bad-schema', text: schema.error });
}

/** The path of a local file: address, or undefined for another host's or a malformed one. */
function filePath(url: URL): string | undefined {
  try {
    return url.host === '' ? decodeURIComponent(url.pathname) : undefined;
  } catch {
    return undefined;
  }
}
