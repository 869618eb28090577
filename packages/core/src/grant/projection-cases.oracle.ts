/** The cases of vectors/feed.json that say what is revealed of a record, written out by hand. */

import type { JsonObject } from '../base/json.ts';
import * as second from '../base/second-writer.oracle.ts';
import type { FieldTerm } from './field-term.ts';

/** One record under one choice of fields. `ID` stands for the id in the grant. */
type ProjectionCase = {
  readonly name: string;
  readonly fields: readonly FieldTerm[] | null;
  readonly record: JsonObject;
  readonly revealed: JsonObject;
};

const changed = (path: string, transform: Exclude<FieldTerm, string>['transform'] & {}): FieldTerm => ({
  path,
  transform,
});
const BORN = {
  _id: 'p1',
  schema: 's',
  name: { family: 'Ås', given: ['Ada', 'Eva', null] },
  born: '1990-07-21',
  seen: ['2020', 'May', '2021-02-30', '2021-12-31T23:59:59-05:00', null],
  weight: 71.26,
  series: [1.25, '3', -1.25, [0.3]],
  visits: [{ at: '2024-01', by: 'x' }, { by: 'y' }, 7],
  constructor: 1,
};
const only = (more: JsonObject): JsonObject => ({ _id: 'ID', schema: 's', ...more });
const RECORD = {
  _id: 'r1',
  _rev: '3-aa',
  schema: 's',
  name: 'Ada',
  address: { city: 'Oslo', zip: '1' },
  codes: [{ s: 'x', v: 1 }, { s: 'y' }, 5],
  none: null,
};
/** The cases of one grant secret. */
export function projectionCases(secret: Uint8Array): readonly ProjectionCase[] {
  /** FEED-22. */
  const pseudonymOf = (path: string, canonical: string): string =>
    Buffer.from(second.hmac(secret, second.utf8(`pseudonym/${path}/${canonical}`)).slice(0, 16)).toString('base64url');
  return [
    {
      name: 'whole, but never _rev, and under its own id',
      fields: null,
      record: RECORD,
      revealed: { _id: 'ID', schema: 's', name: 'Ada', address: RECORD.address, codes: RECORD.codes, none: null },
    },
    { name: 'one field', fields: ['name'], record: RECORD, revealed: { _id: 'ID', schema: 's', name: 'Ada' } },
    {
      name: 'a path into an object',
      fields: ['address.city'],
      record: RECORD,
      revealed: { _id: 'ID', schema: 's', address: { city: 'Oslo' } },
    },
    {
      name: 'a path through an array keeps places',
      fields: ['codes.v'],
      record: RECORD,
      revealed: { _id: 'ID', schema: 's', codes: [{ v: 1 }, null, null] },
    },
    {
      name: 'two paths into one array meet by place',
      fields: ['codes.s', 'codes.v'],
      record: RECORD,
      revealed: { _id: 'ID', schema: 's', codes: [{ s: 'x', v: 1 }, { s: 'y' }, null] },
    },
    {
      name: 'a path and its own beginning',
      fields: ['address', 'address.city'],
      record: RECORD,
      revealed: { _id: 'ID', schema: 's', address: RECORD.address },
    },
    { name: 'null is a value', fields: ['none'], record: RECORD, revealed: { _id: 'ID', schema: 's', none: null } },
    {
      name: 'a field that is not there',
      fields: ['other', 'name.first'],
      record: RECORD,
      revealed: { _id: 'ID', schema: 's' },
    },
    { name: 'an array without the path', fields: ['codes.z'], record: RECORD, revealed: { _id: 'ID', schema: 's' } },
    {
      name: 'the year of a date, and nothing of what is none',
      fields: [changed('born', 'year'), changed('seen', 'year'), changed('weight', 'year')],
      record: BORN,
      revealed: only({ born: '1990', seen: ['2020', null, null, '2021', null] }),
    },
    {
      name: 'a pseudonym of a text, of an object and of each item',
      fields: [changed('born', 'pseudonym'), changed('name.given', 'pseudonym'), changed('visits', 'pseudonym')],
      record: BORN,
      revealed: only({
        born: pseudonymOf('born', '"1990-07-21"'),
        name: { given: [pseudonymOf('name.given', '"Ada"'), pseudonymOf('name.given', '"Eva"'), null] },
        visits: [
          pseudonymOf('visits', '{"at":"2024-01","by":"x"}'),
          pseudonymOf('visits', '{"by":"y"}'),
          pseudonymOf('visits', '7'),
        ],
      }),
    },
    {
      name: 'the nearest multiple, halves upwards, and nothing of what is no number',
      fields: [changed('series', { round: 0.5 }), changed('weight', { round: 0.1 }), changed('born', { round: 1 })],
      record: BORN,
      revealed: only({ series: [1.5, null, -1, [0.5]], weight: 71.3 }),
    },
    {
      name: 'a changed part of what goes as it is',
      fields: ['name', changed('name.family', 'pseudonym'), changed('visits.at', 'year'), 'visits'],
      record: BORN,
      revealed: only({
        name: { family: pseudonymOf('name.family', '"Ås"'), given: BORN.name.given },
        visits: [{ at: '2024', by: 'x' }, { by: 'y' }, 7],
      }),
    },
    {
      name: 'what does not fit takes along what came as it is',
      fields: ['weight', 'name', changed('name.given', { round: 1 })],
      record: BORN,
      revealed: only({ weight: 71.26, name: { family: 'Ås' } }),
    },
    {
      name: 'all but what is dropped, also in the items of a list',
      fields: [
        changed('name', 'drop'),
        changed('seen', 'drop'),
        changed('series.x', 'drop'),
        changed('visits.by', 'drop'),
      ],
      record: BORN,
      revealed: only({
        born: BORN.born,
        weight: BORN.weight,
        series: BORN.series,
        visits: [{ at: '2024-01' }, {}, 7],
        constructor: 1,
      }),
    },
    {
      name: 'a named path without a part of it',
      fields: ['name', changed('name.given', 'drop'), { path: 'weight', optional: true }],
      record: BORN,
      revealed: only({ name: { family: 'Ås' }, weight: 71.26 }),
    },
    {
      name: 'the name of a field that every object inherits',
      fields: ['constructor', 'toString'],
      record: BORN,
      revealed: only({ constructor: 1 }),
    },
    { name: 'a record without schema', fields: ['a'], record: { _id: 'x', a: 1 }, revealed: { _id: 'ID', a: 1 } },
  ];
}
