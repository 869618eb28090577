/**
 * Finds schemas by bundled name, `$id`, file: or https:, once each. A schema is its `$id`, never the place it was loaded from. Bundled
 * ones run ahead-compiled validators; all others an interpreter, never generated code.
 */

import { Validator } from '@cfworker/json-schema';
import {
  bytesToHex,
  canonicalJson,
  err,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  ok,
  parseJson,
  type Result,
  utf8ToBytes,
} from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import { type FieldFormats, fieldFormats, parseInstant } from '@sluice/core/filter';
import { bundledAliases, bundledSchemas, bundledValidators, type SchemaIssue } from '@sluice/schemas';
import type { Platform } from '../platform.ts';
import { MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH, refuseSchema } from './safe-schema.ts';

export type SchemaFailure =
  | { readonly type: 'not-found' | 'unreachable' | 'too-large' | 'too-deep' | 'malformed' }
  /** The body cannot be used; `text` says why. */
  | { readonly type: 'bad-schema'; readonly text: string }
  /** Another body is known under the same `$id`. */
  | { readonly type: 'schema-mismatch' };

export type LoadedSchema = {
  readonly id: string;
  /** SHA-256 of the canonical JSON of the body, hex: what a grant pins. */
  readonly hash: string;
  readonly body: JsonObject;
  readonly title: string;
  readonly titlePlural?: string;
  readonly databaseName: string;
  readonly indexes: readonly { readonly name: string; readonly fields: readonly string[] }[];
  readonly formats: FieldFormats;
  readonly merges: ReadonlyMap<string, 'lww' | 'set'>;
  readonly validate: (record: unknown) => SchemaIssue[];
};

export type SchemaLoader = { readonly load: (uri: string) => Promise<Result<LoadedSchema, SchemaFailure>> };
export type SchemaLoaderDeps = Partial<Pick<Platform, 'fetchText' | 'readFile'>>;

const FETCH_MS = 10_000;

/** Creates a loader with its own cache. */
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
      const read = readFile ? await readFile(decodeURIComponent(url.pathname)) : err({ type: 'not-found' } as const);
      return read.ok ? read : err({ type: read.error.type === 'too-large' ? 'too-large' : 'not-found' });
    }
    if (url.protocol !== 'https:' || !fetchText) return err({ type: 'not-found' });
    const fetched = await fetchText(url, { maxBytes: MAX_SCHEMA_BYTES, timeoutMs: FETCH_MS });
    if (fetched.ok) return fetched;
    return err({
      type:
        fetched.error.type === 'too-large'
          ? 'too-large'
          : fetched.error.type === 'not-found'
            ? 'not-found'
            : 'unreachable',
    });
  };

  return {
    load: async (uri) => {
      const known = byUri.get(uri) ?? byId.get(uri);
      if (known) return ok(known);
      const bundled = bundledSchemas.get(bundledAliases.get(uri) ?? uri);
      if (bundled) return keep(uri, describeSchema(bundled as JsonObject));
      const text = await textOf(uri);
      if (!text.ok) return text;
      const schema = readForeign(text.value);
      return schema.ok ? keep(uri, schema.value) : schema;
    },
  };
}

/** Reads a schema body that came from elsewhere. */
function readForeign(text: string): Result<LoadedSchema, SchemaFailure> {
  const parsed = parseJson(text, { maxBytes: MAX_SCHEMA_BYTES, maxDepth: MAX_SCHEMA_DEPTH });
  if (!parsed.ok) return parsed;
  if (!isJsonObject(parsed.value)) return err({ type: 'malformed' });
  const { $id } = parsed.value;
  if (typeof $id !== 'string' || !$id.startsWith('https://') || $id.length > 512)
    return err({ type: 'bad-schema', text: 'it has no https $id' });
  if (bundledSchemas.has($id)) return err({ type: 'schema-mismatch' });
  const refused = refuseSchema(parsed.value);
  return refused ? err({ type: 'bad-schema', text: refused }) : ok(describeSchema(parsed.value));
}

function describeSchema(body: JsonObject): LoadedSchema {
  const id = String(body.$id);
  const flat = flatten(body, 0);
  const database = isJsonObject(body.database) ? body.database : {};
  const indexes = isJsonObject(database.indexes) ? database.indexes : {};
  const merges = new Map<string, 'lww' | 'set'>();
  for (const [name, property] of Object.entries(propertiesOf(flat)))
    if (isJsonObject(property) && property.merge === 'set') merges.set(name, 'set');
  const title = typeof body.title === 'string' ? body.title : id;
  return {
    id,
    hash: bytesToHex(sha256(utf8ToBytes(canonicalJson(body)))),
    body,
    title,
    ...(typeof body.titlePlural === 'string' ? { titlePlural: body.titlePlural } : {}),
    databaseName: typeof database.name === 'string' ? database.name : nameFromId(id),
    indexes: Object.entries(indexes).flatMap(([name, fields]) =>
      Array.isArray(fields) ? [{ name, fields: fields.filter((f): f is string => typeof f === 'string') }] : [],
    ),
    formats: fieldFormats(flat),
    merges,
    validate: bundledValidators.get(id) ?? interpret(body),
  };
}

/** Inlines the bundled schemas a body refers to, so that formats and merges of inherited fields are seen. */
function flatten(value: JsonObject, depth: number): JsonObject {
  if (depth > MAX_SCHEMA_DEPTH) return value;
  const target = typeof value.$ref === 'string' ? bundledSchemas.get(value.$ref) : undefined;
  if (target) return flatten(target as JsonObject, depth + 1);
  if (!Array.isArray(value.allOf)) return value;
  return {
    ...value,
    allOf: (value.allOf as readonly JsonValue[]).map((part) => (isJsonObject(part) ? flatten(part, depth + 1) : part)),
  };
}

function propertiesOf(schema: JsonObject): JsonObject {
  const own = isJsonObject(schema.properties) ? schema.properties : {};
  const parts = Array.isArray(schema.allOf) ? (schema.allOf as readonly JsonValue[]) : [];
  return Object.assign({}, ...parts.map((part) => (isJsonObject(part) ? propertiesOf(part) : {})), own) as JsonObject;
}

const nameFromId = (id: string): string =>
  new URL(id).pathname
    .replace(/\/(v[0-9.]+|latest)\/schema\.json$/, '')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .replace(/^_|_$/g, '') || 'records';

/** `partial-date` is ours and unknown to the interpreter, so it is checked by our own reader beside it. */
function interpret(body: JsonObject): (record: unknown) => SchemaIssue[] {
  const validator = new Validator(body as never, '2020-12', false);
  for (const [id, bundled] of bundledSchemas) validator.addSchema(bundled as never, id);
  const partial = [...fieldFormats(flatten(body, 0))]
    .filter(([, format]) => format === 'partial-date')
    .map(([path]) => path);
  return (record) => {
    const result = validator.validate(record);
    const issues = result.errors.map((e) => ({
      path: e.instanceLocation.replace(/^#/, '') || '/',
      message: `does not satisfy ${e.keyword}`,
    }));
    if (isJsonObject(record)) {
      for (const path of partial) {
        const value = record[path];
        if (typeof value === 'string' && parseInstant(value, 'partial-date') === undefined)
          issues.push({ path: `/${path}`, message: 'does not satisfy format' });
      }
    }
    return issues;
  };
}
