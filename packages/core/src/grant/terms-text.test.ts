import { describe, expect, it } from 'vitest';
import { parseTerms } from './terms.ts';

const terms = {
  schema: 'https://schemas.example/s',
  schemaHash: 'ab'.repeat(32),
  access: 'read',
  filter: {},
  duration: 'standing',
};
const writing = { ...terms, access: 'readwrite' };
const PATHS = 'a path of up to 8 names of letters, digits and _ with dots between, and none of _id, _rev, schema';
const INSTANT = 'an instant with its zone, such as "2027-01-31T00:00:00Z"';
const SPAN = 'an ISO 8601 duration of whole units, up to 100 years, such as "P30D" or "P1Y"';
const formats = new Map([['born', 'date' as const]]);
const textOf = (input: unknown): string => {
  const read = parseTerms(input, formats);
  return read.ok ? 'none' : read.error.text;
};

describe('what is said of terms that cannot be read', () => {
  it.each<[unknown, string]>([
    [[], 'terms is an empty list; allowed is an object'],
    [{ ...terms, schema: '' }, 'schema is ""; allowed is the $id of a schema, a text of 1 to 512 characters'],
    [{ ...terms, schemaHash: 7 }, 'schemaHash is 7; allowed is a SHA-256 in 64 lower-case hex digits'],
    [{ ...terms, access: 'admin' }, 'access is "admin"; allowed is "read", "write" or "readwrite"'],
    [{ ...terms, duration: 'P1Y' }, `duration is "P1Y"; allowed is "once", "standing" or {until: ${INSTANT}}`],
    [{ ...terms, duration: { until: 'soon' } }, `duration.until is "soon"; allowed is ${INSTANT}`],
    [{ ...terms, duration: { until: '2027-01-01', from: 1 } }, 'duration.from is not known; allowed are until'],
    [
      { ...writing, duration: 'once', write: { operations: ['insert'] } },
      'duration is "once"; allowed is "standing" or {until} beside the access "readwrite"',
    ],
    [{ ...terms, retention: '1 year' }, `retention is "1 year"; allowed is ${SPAN}`],
    [{ ...terms, frequency: null }, `frequency is null; allowed is ${SPAN}`],
    [{ ...terms, fields: 'note' }, 'fields is "note"; allowed is a list of 1 to 64 fields'],
    [{ ...terms, fields: ['note', '_id'] }, `fields.1 is "_id"; allowed is ${PATHS}`],
    [{ ...terms, fields: [{ optional: true }] }, `fields.0.path is missing; allowed is ${PATHS}`],
    [{ ...terms, fields: [7] }, 'fields.0 is 7; allowed is a path, or an object of path, optional, transform'],
    [
      { ...terms, fields: [{ path: 'a', hidden: true }] },
      'fields.0.hidden is not known; allowed are path, optional, transform',
    ],
    [{ ...terms, fields: [{ path: 'a', optional: 1 }] }, 'fields.0.optional is 1; allowed is true, or nothing'],
    [
      { ...terms, fields: [{ path: 'a', transform: { round: 0 } }] },
      'fields.0.transform is an object; allowed is "drop", "year", "pseudonym" or {round: a number over 0}',
    ],
    [
      { ...terms, fields: [{ path: 'a', transform: 'drop', optional: true }] },
      'fields.0.optional is true; allowed is nothing beside the transform "drop"',
    ],
    [
      { ...terms, fields: [{ path: 'a', transform: 'year' }] },
      'fields.0.transform is "year"; allowed is "year" for a date of the schema alone, and a is none',
    ],
    [
      { ...terms, fields: ['a', { path: 'a', optional: true }] },
      'fields.1 names a in another way than fields.0; allowed is one way for each path',
    ],
    [
      { ...terms, fields: ['a.b', { path: 'a', transform: 'drop' }] },
      'fields.0 is a.b, which lies in a of fields.1; allowed is nothing inside of a field with a transform',
    ],
    [
      { ...writing, access: 'write', fields: ['a'], write: { operations: ['insert'] } },
      'fields is a list of 1; allowed is nothing beside the access "write", which reads no records',
    ],
    [{ ...terms, write: {} }, 'write is an object; allowed is nothing beside the access "read"'],
    [writing, 'write is missing; allowed is an object of operations, fields, policy, perDay'],
    [{ ...writing, write: { ops: [] } }, 'write.ops is not known; allowed are operations, fields, policy, perDay'],
    [
      { ...writing, write: { operations: [] } },
      'write.operations is an empty list; allowed is a list of some of insert, update, delete',
    ],
    [
      { ...writing, write: { operations: ['insert', 'burn'] } },
      'write.operations.1 is "burn"; allowed is some of insert, update, delete',
    ],
    [
      { ...writing, write: { operations: ['insert'], policy: 'ask' } },
      'write.policy is "ask"; allowed is "propose" or "auto"',
    ],
    [
      { ...writing, write: { operations: ['insert'], perDay: 0.5 } },
      'write.perDay is 0.5; allowed is a whole number from 1 to 1,000,000',
    ],
    [
      { ...writing, write: { operations: ['insert'], fields: [] } },
      'write.fields is an empty list; allowed is a list of 1 to 64 names',
    ],
    [
      { ...writing, write: { operations: ['insert'], fields: ['note', 'name.given'] } },
      'write.fields.1 is "name.given"; allowed is a name of a whole field: letters, digits and _, no dots, and none of _id, _rev, schema',
    ],
    [{ ...terms, filter: { $and: [{ a: 1 }, 2] } }, 'The filter is wrong at $and.1: $and takes a list of filters'],
    [
      { ...terms, filter: { a: { $in: [[1]] } } },
      'The filter is wrong at a.$in.0: $in takes a list of texts, numbers and booleans',
    ],
    [
      { ...terms, filter: { a: { $within: 'P1D' } } },
      'The filter is wrong at a.$within: $within is for dates alone, and the schema calls this field none',
    ],
    [
      { ...terms, filter: { a: ['secret'] } },
      'The filter is wrong at a: a value is a text, a number, a boolean or null; for one of several there is $in',
    ],
  ])('[GRANT-2] of %j', (input, text) => {
    expect(textOf(input)).toBe(text);
  });

  it('[GRANT-2] a value cannot make the sentence read as another', () => {
    expect(textOf({ ...terms, access: 'read"; allowed is \u202e' })).toBe(
      'access is "read\\u{22}; allowed is \\u{202e}"; allowed is "read", "write" or "readwrite"',
    );
    expect(textOf({ ...terms, duration: 'x'.repeat(1000) })).toContain(`duration is "${'x'.repeat(60)}…"; allowed`);
  });
});
