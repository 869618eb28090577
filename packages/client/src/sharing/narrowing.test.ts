import type { JsonObject } from '@sluice/core/base';
import type { FieldFormats } from '@sluice/core/filter';
import { type FieldTerm, type GrantTerms, project, wrongNarrowing } from '@sluice/core/grant';
import { toGrantSecret } from '@sluice/core/crypto';
import { describe, expect, it } from 'vitest';
import type { LoadedSchema } from '../schema/index.ts';
import { type Narrowing, narrow, narrowItems } from './narrowing.ts';
import { type RequestItem, toTerms } from './terms.ts';

const FORMATS: FieldFormats = new Map([['born', 'date']]);
const loadSchema = async (id: string): Promise<LoadedSchema> =>
  ({ id, hash: 'ab'.repeat(32), formats: FORMATS, title: 'Person' }) as unknown as LoadedSchema;
const asking = (item: Partial<RequestItem>): Promise<GrantTerms> => toTerms({ schema: 'a', ...item }, loadSchema);
const narrowed = async (asked: Partial<RequestItem>, ...steps: readonly Narrowing[]): Promise<GrantTerms> => {
  const terms = await asking(asked);
  let current = terms;
  for (const step of steps) current = await narrow(terms, current, step, loadSchema);
  return current;
};
const optional = (path: string): FieldTerm => ({ path, optional: true });
const RECORD: JsonObject = {
  _id: 'r',
  born: '1990-07-21',
  name: { family: 'Ås', given: 'Ada' },
  price: 1.23,
  note: 'n',
};
const shownOf = (terms: GrantTerms): JsonObject => {
  const { _id, ...rest } = project(RECORD, terms.fields, 'ID', toGrantSecret(new Uint8Array(32).fill(1)));
  return rest;
};

describe('what an owner takes away', () => {
  it('[GRANT-4] nothing is taken away by naming nothing', async () => {
    const item = { fields: ['note', optional('price')], filter: { note: 'n' }, frequency: 'PT1H', retention: 'P1Y' };
    expect(await narrowed(item, {})).toEqual(await asking(item));
  });

  it('[GRANT-4] a filter adds to the one asked for', async () => {
    expect((await narrowed({ filter: { a: 1 } }, { filter: { b: 2 } })).filter).toEqual({ $and: [{ a: 1 }, { b: 2 }] });
    expect((await narrowed({}, { filter: { b: 2 } })).filter).toEqual({ b: 2 });
    await expect(narrowed({}, { filter: null as never })).rejects.toMatchObject({ code: 'BAD_FILTER' });
    await expect(narrowed({}, { filter: { b: { $where: '' } } })).rejects.toMatchObject({ code: 'BAD_FILTER' });
  });

  it('[GRANT-4] a misspelt narrowing is refused, or it would give more than was meant', async () => {
    await expect(narrowed({}, { filters: { b: 2 } } as never)).rejects.toThrow(
      'A narrowing has no member "filters"; allowed are filter, fields, duration, write',
    );
    const asked: Partial<RequestItem> = { access: 'readwrite', write: { operations: ['insert'] } };
    await expect(narrowed(asked, { write: { perday: 5 } } as never)).rejects.toThrow('write has no member "perday"');
  });

  it('[GRANT-4] [GRANT-23] optional fields can go, be cut or be changed, and required ones cannot', async () => {
    const asked = { fields: ['note', optional('price'), optional('name'), optional('born')] };
    expect(shownOf(await narrowed(asked, { fields: ['note'] }))).toEqual({ note: 'n' });
    expect(shownOf(await narrowed(asked, { fields: ['note', 'name.given'] }))).toEqual({
      note: 'n',
      name: { given: 'Ada' },
    });
    const year: Narrowing = { fields: ['note', { path: 'born', transform: 'year' }] };
    expect(shownOf(await narrowed(asked, year))).toEqual({ note: 'n', born: '1990' });
    const refused = (narrowing: Narrowing): Promise<GrantTerms> => narrowed(asked, narrowing);
    await expect(refused({ fields: ['price'] })).rejects.toThrow('note is required, it cannot be taken away');
    await expect(refused({ fields: ['note', 'other'] })).rejects.toThrow('other was not asked for');
    await expect(refused({ fields: [{ path: 'note', transform: 'pseudonym' }] })).rejects.toThrow('note is required');
    await expect(refused({ fields: [{ path: 'note', transform: 'drop' }] })).rejects.toThrow('note is required');
    await expect(refused({ fields: [] })).rejects.toThrow('Nothing of the record would be left');
    await expect(refused({ fields: ['note', { path: 'price', transform: 'year' }] })).rejects.toThrow(
      'fields.1.transform is "year"; allowed is "year" for a date of the schema alone, and price is none',
    );
  });

  it('[GRANT-4] only drops give all that was asked but these', async () => {
    const drop = (...paths: string[]): Narrowing => ({
      fields: paths.map((path) => ({ path, transform: 'drop' as const })),
    });
    expect(shownOf(await narrowed({}, drop('note', 'name.family')))).toEqual({
      born: '1990-07-21',
      name: { given: 'Ada' },
      price: 1.23,
    });
    const asked = { fields: [optional('price'), optional('name')] };
    expect(shownOf(await narrowed(asked, drop('price')))).toEqual({ name: RECORD.name });
    expect(shownOf(await narrowed(asked, drop('name.given')))).toEqual({ price: 1.23, name: { family: 'Ås' } });
    await expect(narrowed(asked, drop('price', 'name'))).rejects.toThrow('Nothing of the record would be left');
    // What was asked as "all but" stays so.
    const without = await narrowed({ fields: [{ path: 'name.given', transform: 'drop' }] }, drop('price', 'name'));
    expect(shownOf(without)).toEqual({ born: '1990-07-21', note: 'n' });
  });

  it('[GRANT-4] a field stays changed as it was asked for, and what lies changed in it never shows as it is', async () => {
    const asked: RequestItem = {
      schema: 'a',
      fields: [
        { path: 'price', optional: true, transform: { round: 1 } },
        optional('name'),
        { path: 'name.family', optional: true, transform: 'pseudonym' },
      ],
    };
    expect(shownOf(await narrowed(asked, { fields: ['price'] }))).toEqual({ price: 1 });
    expect(shownOf(await narrowed(asked, { fields: ['name'] }))).toEqual({ name: { given: 'Ada' } });
    const both = shownOf(await narrowed(asked, { fields: ['name', 'name.family'] })).name as JsonObject;
    expect([both.given, both.family]).toEqual(['Ada', expect.stringMatching(/^[\w-]{22}$/)]);
    const finer: FieldTerm = { path: 'price', transform: { round: 0.1 } };
    await expect(narrowed(asked, { fields: [finer] })).rejects.toThrow('price was asked for in another form');
  });

  it('[GRANT-4] a duration only gets shorter', async () => {
    const [soon, late] = [{ until: '2030-01-01' }, { until: '2031-01-01T00:00:00Z' }];
    expect((await narrowed({}, { duration: soon })).duration).toEqual({ until: '2030-01-01T00:00:00.000Z' });
    expect((await narrowed({ duration: late }, { duration: soon })).duration).toEqual({
      until: '2030-01-01T00:00:00.000Z',
    });
    expect((await narrowed({ duration: late }, { duration: 'once' })).duration).toBe('once');
    await expect(narrowed({ duration: soon }, { duration: late })).rejects.toThrow('it lasts longer than was asked');
    await expect(narrowed({ duration: soon }, { duration: 'standing' })).rejects.toThrow('it lasts longer');
    await expect(narrowed({ duration: 'once' }, { duration: soon })).rejects.toThrow('it lasts longer');
    await expect(narrowed({}, { duration: { until: 'soon' } })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  it('[GRANT-4] writing only gets less', async () => {
    const asked: Partial<RequestItem> = {
      access: 'readwrite',
      write: { operations: ['insert', 'delete'], policy: 'auto', perDay: 100 },
    };
    const less: Narrowing = { write: { operations: ['insert'], fields: ['note'], policy: 'propose', perDay: 5 } };
    expect((await narrowed(asked, less)).write).toEqual(less.write);
    expect((await narrowed(asked, { write: { perDay: 5 } })).write).toMatchObject({ policy: 'auto', perDay: 5 });
    await expect(narrowed(asked, { write: { operations: ['update'] } })).rejects.toThrow('to update was not asked for');
    await expect(narrowed(asked, { write: { perDay: 101 } })).rejects.toThrow(
      '101 writes a day are more than the 100 that were',
    );
    await expect(narrowed({}, less)).rejects.toThrow('Writing was not asked for');
    await expect(narrowed({ access: 'write' }, { fields: ['note'] })).rejects.toThrow('reads nothing');
  });

  it('[GRANT-4] prop-like: a narrowing goes back up to what was asked, and never beyond', async () => {
    const asked: Partial<RequestItem> = {
      access: 'readwrite',
      filter: { a: 1 },
      fields: ['note', optional('price')],
      write: { operations: ['insert', 'update'], fields: ['note', 'price'] },
    };
    const less: Narrowing = {
      filter: { b: 1 },
      fields: ['note'],
      duration: { until: '2030-01-01T00:00:00.000Z' },
      write: { operations: ['insert'], fields: ['note'], perDay: 1 },
    };
    const back: Narrowing = {
      filter: {},
      fields: 'all',
      duration: 'standing',
      write: { operations: ['insert', 'update'], fields: 'all', perDay: 10_000 },
    };
    const terms = await asking(asked);
    const low = await narrowed(asked, less);
    expect(wrongNarrowing(terms, low)).toBeUndefined();
    expect(wrongNarrowing(low, terms)).toBeDefined();
    expect(await narrowed(asked, less, back)).toEqual(terms);
    await expect(narrowed(asked, { duration: 'once' })).rejects.toThrow('duration');
    // Each part goes up by itself, and the rest stays down.
    expect(await narrowed(asked, less, { fields: 'all' })).toEqual({ ...low, fields: terms.fields });
    await expect(narrowed(asked, less, { fields: ['note', 'name'] })).rejects.toThrow('name was not asked for');
  });
});

describe('one narrowing for several items', () => {
  const items = async (): Promise<readonly GrantTerms[]> => [
    await asking({ fields: ['note', optional('price')] }),
    await asking({ schema: 'b', fields: [optional('born')], access: 'readwrite' }),
    await asking({ schema: 'c' }),
  ];
  const fieldsOf = async (narrowing: Narrowing | readonly Narrowing[]): Promise<unknown[]> =>
    (await narrowItems(await items(), narrowing, loadSchema)).map((item) => 'access' in item && item.fields);

  it('[GRANT-4] each takes what speaks of it', async () => {
    expect(await fieldsOf({ fields: ['note', 'born'] })).toEqual([['note'], [optional('born')], ['born', 'note']]);
    const dropped: FieldTerm = { path: 'price', transform: 'drop' };
    expect(await fieldsOf({ fields: [dropped] })).toEqual([['note'], [optional('born')], [dropped]]);
    await expect(fieldsOf({ fields: ['note'] })).rejects.toThrow('Nothing of the record would be left');
    const [, second] = await narrowItems(await items(), { write: { perDay: 1 } }, loadSchema);
    expect(second).toMatchObject({ write: { perDay: 1 } });
  });

  it('[GRANT-4] or each has its own', async () => {
    const each: readonly Narrowing[] = [{ fields: ['note'] }, {}, { fields: ['price'] }];
    expect(await fieldsOf(each)).toEqual([['note'], [optional('born')], ['price']]);
    await expect(fieldsOf([{}])).rejects.toThrow('3 items');
    const some = (await items()).slice(0, 2);
    await expect(narrowItems(some, { fields: ['note', 'born', 'x'] }, loadSchema)).rejects.toThrow(
      'x was not asked for',
    );
    await expect(
      narrowItems([some[0] as GrantTerms, some[0] as GrantTerms], { write: {} }, loadSchema),
    ).rejects.toThrow('Writing was not asked for');
  });
});
