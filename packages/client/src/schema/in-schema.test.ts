import type { JsonObject } from '@sluice/core/base';
import { matches } from '@sluice/core/filter';
import type { GrantTerms } from '@sluice/core/grant';
import { describe, expect, it } from 'vitest';
import { type DataRequest, requestFilter } from '../messaging/data-request.ts';
import { filterOf } from '../sharing/terms.ts';
import type { LoadedSchema } from './index.ts';

const schema = {
  id: 'https://schemas.example/a',
  hash: 'ab'.repeat(32),
  formats: new Map(),
} as unknown as LoadedSchema;
const nested = (depth: number): JsonObject => (depth === 0 ? { a: 1 } : { $not: nested(depth - 1) });
const AT_THE_LIMIT: readonly (readonly [string, JsonObject, JsonObject])[] = [
  ['eight levels', nested(8), { a: 1 }],
  ['128 conditions', Object.fromEntries(Array.from({ length: 128 }, (_, i) => [`f${i}`, 1])), {}],
];

describe('a filter over the records of one schema', () => {
  it.each(AT_THE_LIMIT)('[FIL-15] has all the room of its own limits: %s', (_name, filter, more) => {
    const record = { ...filter, ...more, schema: schema.id };
    const terms = {
      schema: schema.id,
      schemaHash: schema.hash,
      access: 'read',
      filter,
      duration: 'once',
    } as GrantTerms;
    const request = { requestSchema: schema.id, filter } as DataRequest;
    for (const parsed of [filterOf(terms, schema), requestFilter(request, schema)]) {
      expect(matches(parsed, record, 0)).toBe(true);
      expect(matches(parsed, { ...record, schema: 'https://schemas.example/b' }, 0)).toBe(false);
    }
  });
});
