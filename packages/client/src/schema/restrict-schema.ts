/**
 * Copies a schema into the form the interpreter runs: only keywords we know, each of the right form, every `$ref` resolved, and nothing
 * in it whose cost the interpreter cannot count. A schema from elsewhere may be written to hang whoever checks a record with it
 * (spec/schema.md SCH-4, SCH-5). Must not know where a schema came from.
 */

import { err, isJsonObject, type JsonObject, type JsonValue, ok, type Result } from '@sluice/core/base';
import { bundledSchemas, schemaFormats } from '@sluice/schemas';
import { refusePattern } from './pattern-cost.ts';

/** One schema position: an object in our own form, or a boolean. */
export type SchemaNode = { [keyword: string]: unknown };
/** A foreign schema that was checked and copied, ready to be interpreted. */
export type RestrictedSchema = {
  readonly root: SchemaNode | boolean;
  /** Every schema position by the key that `$ref` holds. */
  readonly lookup: { readonly [key: string]: SchemaNode | boolean };
};

/** Characters of a text under `pattern`, and items of a list under `uniqueItems` (compared pair by pair), at most. */
const MAX_PATTERN_TEXT = 1024;
/** The longest list that `uniqueItems` compares (SCH-5). */
const MAX_UNIQUE_ITEMS = 256;
/** Schemas applied to one value through `$ref`, `allOf` and the like, one inside the other. */
const MAX_CHAIN = 128;

type Form = 'schema' | 'schemas' | 'schemaMap' | 'count' | 'number' | 'text' | 'flag' | 'names' | 'nameMap' | 'any';

const KEYWORDS: ReadonlyMap<string, Form> = new Map<string, Form>([
  ...(['not', 'if', 'then', 'else', 'items', 'contains', 'additionalProperties', 'propertyNames'] as const).map(
    ofForm('schema'),
  ),
  ...(['unevaluatedItems', 'unevaluatedProperties'] as const).map(ofForm('schema')),
  ...(['allOf', 'anyOf', 'oneOf', 'prefixItems'] as const).map(ofForm('schemas')),
  ...(['properties', '$defs', 'definitions', 'dependentSchemas'] as const).map(ofForm('schemaMap')),
  ...(['minLength', 'maxLength', 'minItems', 'maxItems', 'minContains', 'maxContains'] as const).map(ofForm('count')),
  ...(['minProperties', 'maxProperties'] as const).map(ofForm('count')),
  ...(['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'] as const).map(ofForm('number')),
  ...(['$ref', 'pattern', 'format'] as const).map(ofForm('text')),
  ['uniqueItems', 'flag'],
  ['required', 'names'],
  ['dependentRequired', 'nameMap'],
  ...(['const', 'enum', 'type'] as const).map(ofForm('any')),
]);
/** Keywords that mean something we do not run: ignoring them would accept what the author meant to refuse. */
const UNSUPPORTED = new Set([
  ...['$anchor', '$dynamicRef', '$dynamicAnchor', '$recursiveRef', '$recursiveAnchor'],
  ...['patternProperties', 'dependencies', 'additionalItems'],
]);
/** Keywords that apply a schema to the same value, so that a circle of them never ends. */
const IN_PLACE = new Set(['$ref', 'allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else', 'dependentSchemas']);
const TYPES = new Set(['null', 'boolean', 'object', 'array', 'number', 'integer', 'string']);

class Refused extends Error {}

function ofForm<F extends Form>(form: F): (keyword: string) => [string, F] {
  return (keyword) => [keyword, form];
}

/**
 * Copies a schema into its restricted form.
 *
 * Errors: a clause that says what makes the schema unusable; it quotes keywords, never more of the schema.
 */
export function restrictSchema(body: JsonObject): Result<RestrictedSchema, string> {
  try {
    return ok(createCopier().copyAll(body));
  } catch (cause) {
    if (cause instanceof Refused) return err(cause.message);
    throw cause;
  }
}

function createCopier(): { readonly copyAll: (body: JsonObject) => RestrictedSchema } {
  const lookup: { [key: string]: SchemaNode | boolean } = Object.create(null);
  const applied = new Map<SchemaNode, (SchemaNode | boolean)[]>();
  const references: { readonly node: SchemaNode; readonly key: string }[] = [];

  const copy = (value: JsonValue, document: string, pointer: string): SchemaNode | boolean => {
    if (typeof value !== 'boolean' && !isJsonObject(value)) throw new Refused('a schema is an object or a boolean');
    const node: SchemaNode | boolean = typeof value === 'boolean' ? value : {};
    lookup[`${document}#${pointer}`] = node;
    if (typeof node === 'boolean' || typeof value === 'boolean') return node;
    if (pointer !== '' && value.$id !== undefined) throw new Refused('$id stands below the root');
    const inPlace: (SchemaNode | boolean)[] = [];
    applied.set(node, inPlace);
    for (const [keyword, held] of Object.entries(value)) {
      if (UNSUPPORTED.has(keyword)) throw new Refused(`${keyword} is not supported`);
      const form = KEYWORDS.get(keyword);
      if (!form) continue;
      const below = (part: JsonValue, ...steps: string[]): SchemaNode | boolean => {
        const made = copy(part, document, [pointer, keyword, ...steps.map(escapeStep)].join('/'));
        if (IN_PLACE.has(keyword)) inPlace.push(made);
        return made;
      };
      node[keyword] = copyKeyword(keyword, form, held, below);
    }
    if (typeof node.$ref === 'string') references.push({ node, key: refer(node.$ref, document) });
    guard(node);
    return node;
  };

  /** The key of what a `$ref` means. A bundled schema is copied when it is first referred to. */
  const refer = (ref: string, document: string): string => {
    if (ref.startsWith('#')) return `${document}#${decodePointer(ref.slice(1))}`;
    const bundled = bundledSchemas.get(ref);
    if (!bundled) throw new Refused('$ref points outside the schema');
    if (lookup[`${ref}#`] === undefined) copy(bundled as JsonObject, ref, '');
    return `${ref}#`;
  };

  return {
    copyAll: (body) => {
      const root = copy(body, '', '');
      for (const { node, key } of references) {
        const target = lookup[key];
        if (target === undefined) throw new Refused('$ref points nowhere');
        node.$ref = key;
        applied.get(node)?.push(target);
      }
      refuseCircles(applied);
      return { root, lookup };
    },
  };
}

function copyKeyword(
  keyword: string,
  form: Form,
  held: JsonValue,
  below: (part: JsonValue, ...steps: string[]) => SchemaNode | boolean,
): unknown {
  const wrong = new Refused(`${keyword} is not of the right form`);
  switch (form) {
    case 'schema':
      return below(held);
    case 'schemas':
      if (!Array.isArray(held) || held.length === 0) throw wrong;
      return (held as readonly JsonValue[]).map((part, i) => below(part, String(i)));
    case 'schemaMap':
      return mapOf(held, wrong, (part, name) => below(part, name));
    case 'count':
      if (!Number.isSafeInteger(held) || (held as number) < 0) throw wrong;
      return held;
    case 'number':
      if (typeof held !== 'number' || (keyword === 'multipleOf' && held <= 0)) throw wrong;
      return held;
    case 'text':
      if (typeof held !== 'string') throw wrong;
      if (keyword !== 'format') return held;
      return Object.hasOwn(schemaFormats, held) ? interpretedFormat(held) : undefined;
    case 'flag':
      if (typeof held !== 'boolean') throw wrong;
      return held;
    case 'names':
      return namesOf(held, wrong);
    case 'nameMap':
      return mapOf(held, wrong, (part) => namesOf(part, wrong));
    case 'any':
      if (keyword === 'enum' && !Array.isArray(held)) throw wrong;
      if (keyword === 'type' && !(Array.isArray(held) ? held : [held]).every((t) => TYPES.has(String(t)))) throw wrong;
      return held;
  }
}

/** The name under which a format of ours is known to the interpreter, whose own of the same names differ. */
export const interpretedFormat = (name: string): string => `sluice:${name}`;

function mapOf<T>(held: JsonValue, wrong: Refused, copy: (part: JsonValue, name: string) => T): { [name: string]: T } {
  if (!isJsonObject(held)) throw wrong;
  return Object.fromEntries(Object.entries(held).map(([name, part]) => [plainName(name), copy(part, name)]));
}

function namesOf(held: JsonValue, wrong: Refused): string[] {
  if (!Array.isArray(held) || !held.every((name) => typeof name === 'string')) throw wrong;
  return (held as readonly string[]).map(plainName);
}

/** NOTE: the interpreter asks `name in record`, which is true of every object for names like `toString`. */
function plainName(name: string): string {
  if (name in Object.prototype) throw new Refused('a field has the name of a built-in member');
  return name;
}

/** Moves the keywords whose cost grows faster than the value behind a limit on that value. */
function guard(node: SchemaNode): void {
  const { pattern, uniqueItems } = node;
  const guards: SchemaNode[] = [];
  if (typeof pattern === 'string') {
    const maxLength = Math.min(Number(node.maxLength ?? MAX_PATTERN_TEXT), MAX_PATTERN_TEXT);
    const refused = refusePattern(pattern, maxLength);
    if (refused) throw new Refused(refused);
    node.maxLength = maxLength;
    guards.push({ if: { not: { type: 'string', maxLength } }, else: { pattern } });
  }
  if (uniqueItems === true) {
    const maxItems = Math.min(Number(node.maxItems ?? MAX_UNIQUE_ITEMS), MAX_UNIQUE_ITEMS);
    node.maxItems = maxItems;
    guards.push({ if: { not: { type: 'array', maxItems } }, else: { uniqueItems } });
  }
  delete node.pattern;
  delete node.uniqueItems;
  if (guards.length > 0) node.allOf = [...((node.allOf as unknown[] | undefined) ?? []), ...guards];
}

/** A circle of schemas applied to one and the same value would never end; a long chain would exhaust the stack. */
function refuseCircles(applied: ReadonlyMap<SchemaNode, readonly (SchemaNode | boolean)[]>): void {
  const done = new Set<SchemaNode>();
  const open = new Set<SchemaNode>();
  const visit = (node: SchemaNode): void => {
    if (open.has(node) || open.size > MAX_CHAIN) throw new Refused('its parts refer to each other in a circle');
    open.add(node);
    for (const next of applied.get(node) ?? []) if (typeof next !== 'boolean' && !done.has(next)) visit(next);
    open.delete(node);
    done.add(node);
  };
  for (const node of applied.keys()) if (!done.has(node)) visit(node);
}

const escapeStep = (step: string): string => step.replaceAll('~', '~0').replaceAll('/', '~1');

function decodePointer(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    throw new Refused('$ref points nowhere');
  }
}
