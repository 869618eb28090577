/** What a schema body means to the rest of the client: its name, indexes, formats, merges and validator. Must not know where it came from. */

import {
  bytesToHex,
  canonicalJson,
  err,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  ok,
  type Result,
  utf8ToBytes,
} from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import { type FieldFormats, type FieldLists, fieldFormats, fieldLists } from '@sluice/core/filter';
import type { MergeRules } from '@sluice/core/record';
import { bundledSchemas, bundledValidators, type SchemaIssue } from '@sluice/schemas';
import { declaredMerges, definition, mergeFault, READ_DEPTH } from './declared-merges.ts';
import { createInterpreter } from './interpreter.ts';
import { restrictSchema } from './restrict-schema.ts';

/** An index that a schema declares. */
export type SchemaIndex = { readonly name: string; readonly fields: readonly string[] };

/** A schema in use. Two with the same `id` and `hash` are the same, wherever they were loaded from. */
export type LoadedSchema = {
  readonly id: string;
  /** SHA-256 of the canonical JSON of the body, hex: what a grant pins. */
  readonly hash: string;
  readonly body: JsonObject;
  readonly title: string;
  readonly titlePlural?: string;
  readonly databaseName: string;
  readonly indexes: readonly SchemaIndex[];
  /** Fields that are instants, by dot path. */
  readonly formats: FieldFormats;
  /** Fields that are lists, by dot path. */
  readonly lists: FieldLists;
  /** The names of its own fields, as far as the schema says them. */
  readonly fieldNames: ReadonlySet<string>;
  /** Fields that do not merge as `lww`. */
  readonly merges: MergeRules;
  /** Whether each field is valid or not whatever the others hold, so that one can be checked without them. */
  readonly isFieldwise: boolean;
  /** Tells what keeps a record from matching; nothing when it matches. No message holds a value of the record. */
  readonly validate: (record: unknown) => SchemaIssue[];
};

const MAX_ID = 512;
const MAX_TITLE = 128;
const MAX_INDEXES = 16;
const MAX_INDEX_FIELDS = 8;
const DATABASE_NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
/** The client's own collections: a schema that could take their name could write keys and messages as records. */
const OWN_COLLECTIONS = ['keychain', 'inbox', 'schemas'];
/** How many positions reading for formats and merges may touch, each counted as often as it is met. */
const MAX_READ = 20_000;

/** Describes a bundled schema, whose validator was compiled ahead. */
export function describeBundled(id: string): LoadedSchema | undefined {
  const body = bundledSchemas.get(id) as JsonObject | undefined;
  const validate = bundledValidators.get(id);
  return body && validate ? describeSchema(body, validate) : undefined;
}

/**
 * Describes a schema from elsewhere, which is interpreted.
 *
 * Errors: a clause that says what makes the body unusable.
 */
export function describeForeign(body: JsonObject): Result<LoadedSchema, string> {
  const { $id, $schema } = body;
  if (typeof $id !== 'string' || !isSchemaId($id)) return err('it has no https $id');
  if ($schema !== undefined && $schema !== 'https://json-schema.org/draft/2020-12/schema')
    return err('it is not JSON Schema 2020-12');
  const restricted = restrictSchema(body);
  if (!restricted.ok) return restricted;
  if (readCost(body) > MAX_READ) return err('its parts refer to each other too often');
  const schema = describeSchema(body, createInterpreter(restricted.value));
  if (!DATABASE_NAME.test(schema.databaseName)) return err('its database.name is not of the right form');
  if (takenNames().has(schema.databaseName)) return err('its database.name belongs to another schema');
  if (schema.indexes.length > MAX_INDEXES || schema.indexes.some(({ fields }) => fields.length > MAX_INDEX_FIELDS))
    return err(`it declares over ${MAX_INDEXES} indexes, or one over ${MAX_INDEX_FIELDS} fields`);
  const fault = mergeFault(flatten(body));
  return fault === undefined ? ok(schema) : err(fault);
}

const isSchemaId = (id: string): boolean =>
  id.length <= MAX_ID && URL.canParse(id) && id.startsWith('https://') && !id.includes('#');

const takenNames = (): ReadonlySet<string> =>
  new Set([
    ...OWN_COLLECTIONS,
    ...[...bundledSchemas.values()].map((body) => databaseOf(body as JsonObject).name),
  ] as string[]);

function describeSchema(body: JsonObject, validate: LoadedSchema['validate']): LoadedSchema {
  const id = String(body.$id);
  const flat = flatten(body);
  const { name, indexes } = databaseOf(body);
  const formats = fieldFormats(flat);
  return {
    id,
    hash: bytesToHex(sha256(utf8ToBytes(canonicalJson(body)))),
    body,
    title: typeof body.title === 'string' ? body.title.slice(0, MAX_TITLE) : id,
    ...(typeof body.titlePlural === 'string' ? { titlePlural: body.titlePlural.slice(0, MAX_TITLE) } : {}),
    databaseName: typeof name === 'string' ? name : nameFromId(id),
    indexes: Object.entries(isJsonObject(indexes) ? indexes : {}).flatMap(([index, fields]) =>
      Array.isArray(fields) ? [{ name: index, fields: fields.filter((f): f is string => typeof f === 'string') }] : [],
    ),
    formats,
    lists: fieldLists(flat),
    fieldNames: new Set(ownNames(flat)),
    merges: declaredMerges(flat, formats),
    isFieldwise: isFieldwise(flat),
    validate,
  };
}

const databaseOf = (body: JsonObject): JsonObject => (isJsonObject(body.database) ? body.database : {});

/** Puts the bundled schemas that a body refers to in the place of the reference, so that what is inherited is seen. */
function flatten(schema: JsonObject, depth = 0): JsonObject {
  if (depth > READ_DEPTH) return schema;
  const inside = (part: JsonValue): JsonValue => (isJsonObject(part) ? flatten(part, depth + 1) : part);
  const flat: { [keyword: string]: JsonValue } = { ...schema };
  const bundled = typeof schema.$ref === 'string' ? bundledSchemas.get(schema.$ref) : undefined;
  const parts = Array.isArray(schema.allOf) ? (schema.allOf as readonly JsonValue[]) : [];
  if (bundled || parts.length > 0) flat.allOf = [...(bundled ? [bundled as JsonObject] : []), ...parts].map(inside);
  if (bundled) delete flat.$ref;
  if (schema.items !== undefined) flat.items = inside(schema.items);
  for (const keyword of ['properties', '$defs'])
    if (isJsonObject(schema[keyword]))
      flat[keyword] = Object.fromEntries(Object.entries(schema[keyword]).map(([name, part]) => [name, inside(part)]));
  return flat;
}

/** Keywords by which one field can depend on another, or a part that was not looked into. */
const BETWEEN_FIELDS = ['if', 'anyOf', 'oneOf', 'not', 'dependentSchemas', 'dependentRequired', '$ref'];
const OF_ALL_FIELDS = ['minProperties', 'maxProperties', 'unevaluatedProperties', 'propertyNames'];

/** Looks at the root of a flattened schema alone: what stands below a field is the field's own. */
function isFieldwise(flat: JsonObject): boolean {
  if ([...BETWEEN_FIELDS, ...OF_ALL_FIELDS].some((keyword) => Object.hasOwn(flat, keyword))) return false;
  const parts = Array.isArray(flat.allOf) ? (flat.allOf as readonly JsonValue[]) : [];
  return parts.every((part) => isJsonObject(part) && isFieldwise(part));
}

/** How many positions a reader of formats and merges touches: definitions that each refer twice to the next double it every time. */
function readCost(root: JsonObject): number {
  const known = new Map<JsonObject, number[]>();
  const cost = (node: JsonValue | undefined, depth: number): number => {
    if (!isJsonObject(node) || depth > READ_DEPTH) return 1;
    const before = known.get(node) ?? [];
    const seen = before[depth];
    if (seen !== undefined) return seen;
    const parts = Array.isArray(node.allOf) ? (node.allOf as readonly JsonValue[]) : [];
    const fields = isJsonObject(node.properties) ? Object.values(node.properties) : [];
    let sum = 1;
    for (const part of [...parts, ...fields, node.items, definition(root, node.$ref)]) sum += cost(part, depth + 1);
    before[depth] = sum;
    known.set(node, before);
    return sum;
  };
  return cost(root, 0);
}

/** A name of its own for a schema that declares none; the host is part of it, so that strangers do not meet in one collection. */
function nameFromId(id: string): string {
  const { host, pathname } = new URL(id);
  const words = `${host}${pathname.replace(/\/(v[0-9.]+|latest)\/schema\.json$/, '')}`.match(/[A-Za-z0-9]+/g) ?? [];
  const name = words.join('_').replace(/^(?=[0-9])/, 's_');
  return name.length <= 64 ? name : `${name.slice(0, 47)}_${bytesToHex(sha256(utf8ToBytes(id))).slice(0, 16)}`;
}

/** The names that a schema and its parts for the same record give to fields. */
function ownNames(schema: JsonObject): readonly string[] {
  const parts = ['allOf', 'anyOf', 'oneOf', 'if', 'then', 'else'].flatMap((name) => schema[name] ?? []);
  return [
    ...Object.keys(isJsonObject(schema.properties) ? schema.properties : {}),
    ...parts.filter(isJsonObject).flatMap(ownNames),
  ];
}
