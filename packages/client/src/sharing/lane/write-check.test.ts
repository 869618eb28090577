import type { JsonObject } from '@sluice/core/base';
import { type GrantTerms, parseTerms } from '@sluice/core/grant';
import { describe, expect, it } from 'vitest';
import { SluiceError } from '../../errors.ts';
import { describeForeign, type LoadedSchema } from '../../schema/loaded-schema.ts';
import { assertWritable, type DraftWrite } from './write-check.ts';

const NOW = Date.UTC(2026, 10, 28);
const MINE = `w${'A'.repeat(22)}`;
const SEEN = 'x'.repeat(22);
const BODY: JsonObject = {
  $id: 'https://schemas.example/thing.json',
  type: 'object',
  required: ['text'],
  properties: {
    text: { type: 'string', maxLength: 10 },
    kind: { type: 'string' },
    day: { type: 'string', format: 'date' },
    tags: { type: 'array', items: { type: 'string' }, merge: 'set' },
    part: { type: 'object' },
  },
};
const schemaOf = (body: JsonObject): LoadedSchema => {
  const schema = describeForeign(body);
  if (!schema.ok) throw new Error(schema.error);
  return schema.value;
};
const SCHEMA = schemaOf(BODY);

type Case = Partial<Pick<GrantTerms, 'filter' | 'fields' | 'access'>> & {
  readonly write?: object;
  readonly schema?: LoadedSchema;
};
function outcome(given: Case, draft: Partial<DraftWrite['write']>, before?: JsonObject): string {
  const { schema = SCHEMA, write, ...more } = given;
  const terms = parseTerms(
    {
      schema: schema.id,
      schemaHash: schema.hash,
      access: 'readwrite',
      duration: 'standing',
      write: { operations: ['insert', 'update', 'delete'], ...write },
      ...more,
    },
    schema.formats,
  );
  if (!terms.ok) throw new Error(terms.error.text);
  const full = {
    id: before ? SEEN : MINE,
    operation: before ? 'update' : 'insert',
    set: {},
    remove: [],
    ...draft,
  } as const;
  try {
    assertWritable(terms.value.terms, schema, { write: full, before }, NOW);
    return 'ok';
  } catch (cause) {
    if (cause instanceof SluiceError) return cause.code;
    throw cause;
  }
}
const SHOWN: JsonObject = { _id: SEEN, schema: SCHEMA.id, text: 'old', kind: 'post', day: '2026-11-01' };

describe('what a grantee refuses of its own writes', () => {
  it('[LANE-20] an operation, and a field, that the terms do not give', () => {
    expect(outcome({ write: { operations: ['update'] } }, { set: { text: 'a' } })).toBe('OPERATION_NOT_ALLOWED');
    expect(outcome({ write: { operations: ['insert'] } }, { operation: 'delete' }, SHOWN)).toBe(
      'OPERATION_NOT_ALLOWED',
    );
    expect(outcome({ write: { fields: ['text'] } }, { set: { kind: 'a' } }, SHOWN)).toBe('FIELD_NOT_ALLOWED');
    expect(outcome({ write: { fields: ['text'] } }, { remove: ['kind'] }, SHOWN)).toBe('FIELD_NOT_ALLOWED');
    expect(outcome({ fields: ['text', 'part.a'] }, { set: { part: {} } }, SHOWN)).toBe('FIELD_NOT_ALLOWED');
    expect(outcome({ fields: ['text', 'part.a'] }, { set: { text: 'new' } }, SHOWN)).toBe('ok');
  });

  it('[LANE-20] a change of a record that is not shown, unless it may have made it', () => {
    expect(outcome({ access: 'write' }, { id: SEEN, operation: 'update', set: { text: 'a' } })).toBe('NOT_FOUND');
    expect(outcome({ access: 'write' }, { id: SEEN, operation: 'delete' })).toBe('NOT_FOUND');
    expect(outcome({ access: 'write' }, { operation: 'update', set: { text: 'a' } })).toBe('ok');
  });

  it('[LANE-20] what is no record of the schema, as far as the record is known', () => {
    expect(outcome({}, { set: { kind: 'no text' } })).toBe('INVALID_RECORD');
    expect(outcome({}, { set: { text: 7 } }, SHOWN)).toBe('INVALID_RECORD');
    expect(outcome({}, { remove: ['text'] }, SHOWN)).toBe('INVALID_RECORD');
    // Of a record that is seen in part the rest may be as it has to be.
    const part = { _id: SEEN, schema: SCHEMA.id, kind: 'post' };
    expect(outcome({ fields: ['kind'] }, { set: { kind: 'note' } }, part)).toBe('ok');
    expect(outcome({ fields: ['kind'] }, { set: { kind: 7 } }, part)).toBe('INVALID_RECORD');
    expect(outcome({ access: 'write' }, { operation: 'update', set: { text: 'far too long' } })).toBe('INVALID_RECORD');
    expect(outcome({ access: 'write' }, { operation: 'update', remove: ['kind'] })).toBe('ok');
  });

  it('[LANE-20] leaves to the owner what a field that is not seen decides', () => {
    const long = { properties: { kind: { const: 'long' } }, required: ['kind'] };
    const schema = schemaOf({ ...BODY, anyOf: [long, { properties: { text: { maxLength: 3 } } }] });
    const part = { _id: SEEN, schema: schema.id, text: 'old' };
    expect(outcome({ schema, fields: ['text'] }, { set: { text: 'longer' } }, part)).toBe('ok');
    expect(outcome({ schema }, { set: { text: 'longer' } }, { ...part, kind: 'short' })).toBe('INVALID_RECORD');
    expect(outcome({ schema }, { set: { text: 'longer' } }, { ...part, kind: 'long' })).toBe('ok');
  });

  it('[LANE-20] what would leave the filter, by the conditions whose fields are known', () => {
    const filter = { kind: 'post', text: { $ne: 'b' } };
    expect(outcome({ filter }, { set: { text: 'a', kind: 'note' } })).toBe('OUTSIDE_FILTER');
    expect(outcome({ filter }, { set: { text: 'a' } })).toBe('OUTSIDE_FILTER');
    expect(outcome({ filter }, { set: { kind: 'note' } }, SHOWN)).toBe('OUTSIDE_FILTER');
    expect(outcome({ filter }, { remove: ['kind'] }, SHOWN)).toBe('OUTSIDE_FILTER');
    expect(outcome({ filter }, { set: { text: 'a' } }, SHOWN)).toBe('ok');
    const part = { _id: SEEN, schema: SCHEMA.id, text: 'old' };
    expect(outcome({ filter, fields: ['text'] }, { set: { text: 'a' } }, part)).toBe('ok');
    expect(outcome({ filter, fields: ['text'] }, { set: { text: 'b' } }, part)).toBe('OUTSIDE_FILTER');
    expect(
      outcome({ filter: { $or: [{ kind: 'x' }, { text: 'a' }] }, fields: ['text'] }, { set: { text: 'b' } }, part),
    ).toBe('ok');
    expect(outcome({ filter, access: 'write' }, { operation: 'update', set: { text: 'b' } })).toBe('OUTSIDE_FILTER');
    expect(outcome({ filter: { insertedAt: { $exists: false } } }, { set: { text: 'a' } })).toBe('ok');
    // What was added to a set elsewhere may keep the record in the filter.
    expect(outcome({ filter: { tags: 'a' } }, { set: { tags: [] } }, { ...SHOWN, tags: ['a'] })).toBe('ok');
  });

  it('[LANE-20] what is outside of a window by more than clocks may differ', () => {
    const filter = { day: { $within: 'P1M' } };
    expect(outcome({ filter }, { set: { text: 'a', day: '2026-10-27' } })).toBe('OUTSIDE_FILTER');
    expect(outcome({ filter }, { set: { text: 'a', day: '2026-10-28' } })).toBe('ok');
    const late = { day: { $within: 'P1M' } };
    expect(outcome({ filter: { $not: late } }, { set: { text: 'a', day: '2026-11-01' } })).toBe('OUTSIDE_FILTER');
    expect(outcome({ filter: { $not: late } }, { set: { text: 'a', day: '2026-10-28' } })).toBe('ok');
  });

  it('[LANE-20] what cannot be kept or sent', () => {
    const schema = schemaOf({ $id: 'https://schemas.example/any.json', type: 'object' });
    const of = (set: object): string => outcome({ schema }, { set: set as JsonObject });
    expect(of({ a: 'x'.repeat(899_000) })).toBe('ok');
    expect(of({ a: 'x'.repeat(900_001) })).toBe('INVALID_RECORD');
    expect(of({ a: Number.NaN })).toBe('INVALID_RECORD');
    expect(of(Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`f${i}`, i])))).toBe('ok');
    expect(of(Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`f${i}`, i])))).toBe('INVALID_RECORD');
    let deep: unknown = 1;
    for (let i = 0; i < 63; i++) deep = [deep];
    expect(of({ a: deep })).toBe('INVALID_RECORD');
    expect(of({ a: (deep as unknown[])[0] })).toBe('ok');
  });
});
