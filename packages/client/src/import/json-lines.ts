/** JSON lines as records of one schema: a record a line; bad lines are listed by number. Pure: text in, records out. */

import { isJsonObject, type JsonObject, parseJson } from '@sluice/core/base';
import { v5 as uuidv5 } from 'uuid';

const NAMESPACE = '2c9a1f4e-7b0d-5e6a-8f31-90d4b7e2aa02';
const LIMITS = { maxBytes: 1024 * 1024, maxDepth: 64 };

export type JsonLines = {
  readonly records: readonly JsonObject[];
  readonly problems: readonly { readonly line: number; readonly reason: string }[];
};

/** Reads records. One without `_id` gets a UUIDv5 of its own text, so that importing the same file again updates. */
export function readJsonLines(text: string): JsonLines {
  const records: JsonObject[] = [];
  const problems: { line: number; reason: string }[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '') continue;
    const parsed = parseJson(trimmed, LIMITS);
    if (!parsed.ok)
      problems.push({ line: i + 1, reason: parsed.error.type === 'malformed' ? 'not JSON' : parsed.error.type });
    else if (!isJsonObject(parsed.value)) problems.push({ line: i + 1, reason: 'not a JSON object' });
    else
      records.push(
        typeof parsed.value._id === 'string' ? parsed.value : { ...parsed.value, _id: uuidv5(trimmed, NAMESPACE) },
      );
  }
  return { records, problems };
}
