/** Schemas from elsewhere are untrusted: what is refused before an interpreter ever sees one (spec/schema.md). */

import { isJsonObject, type JsonObject, type JsonValue } from '@sluice/core/base';
import { bundledSchemas } from '@sluice/schemas';

export const MAX_SCHEMA_BYTES = 256 * 1024;
export const MAX_SCHEMA_DEPTH = 32;
const MAX_PATTERN = 256;
/** A quantified group that is quantified again is where backtracking explodes. */
const NESTED_QUANTIFIER = /[*+}][^()]*\)[*+{]/;

/** Says what makes a schema unusable, or undefined when it may be interpreted. */
export function refuseSchema(body: JsonObject): string | undefined {
  return walk(body, (node) => {
    const { $ref, pattern, patternProperties } = node;
    if (node.$dynamicRef !== undefined || node.$recursiveRef !== undefined)
      return 'dynamic references are not supported';
    if (typeof $ref === 'string' && !$ref.startsWith('#') && !bundledSchemas.has($ref))
      return 'it refers to a schema outside itself';
    const patterns = [
      ...(typeof pattern === 'string' ? [pattern] : []),
      ...(isJsonObject(patternProperties) ? Object.keys(patternProperties) : []),
    ];
    if (patterns.some((p) => p.length > MAX_PATTERN || NESTED_QUANTIFIER.test(p)))
      return 'it holds a pattern that could take for ever';
    return undefined;
  });
}

function walk(value: JsonValue, look: (node: JsonObject) => string | undefined): string | undefined {
  if (Array.isArray(value)) {
    for (const item of value) {
      const found = walk(item as JsonValue, look);
      if (found) return found;
    }
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const here = look(value);
  if (here) return here;
  for (const item of Object.values(value)) {
    const found = walk(item, look);
    if (found) return found;
  }
  return undefined;
}
