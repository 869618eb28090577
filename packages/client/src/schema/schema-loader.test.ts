import { readFileSync } from 'node:fs';
import { err, type JsonObject, ok } from '@sluice/core/base';
import { parseInstant } from '@sluice/core/filter';
import { bundledSchemas, schemaFormats } from '@sluice/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INBOX } from '../messaging/mailbox.ts';
import { KEYCHAIN } from '../account/keychain.ts';
import { createSchemaLoader, type LoadedSchema, type SchemaLoaderDeps } from './index.ts';

const BASE = 'https://schemas.sluice.example/base/v0.1.0/schema.json';
const CONTACT = 'https://schemas.sluice.example/social/contact/v0.1.0/schema.json';
const boat: JsonObject = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://harbour.example/boat/v1.2.0/schema.json',
  title: 'Boat',
  titlePlural: 'Boats',
  database: { name: 'harbour_boat', indexes: { built: ['built'], typeBuilt: ['type', 'built'] } },
  type: 'object',
  allOf: [
    { $ref: BASE },
    {
      properties: {
        type: { type: 'string', maxLength: 20 },
        built: { type: 'string', format: 'partial-date' },
        trips: { type: 'array', items: { type: 'object', properties: { day: { type: 'string', format: 'date' } } } },
        crew: { $ref: '#/$defs/names' },
        contact: { $ref: CONTACT },
      },
      required: ['type'],
    },
  ],
  $defs: { names: { type: 'array', items: { type: 'string' }, merge: 'set' } },
};

type Calls = string[];
/** A loader over texts by address; every address asked for is noted. */
function loaderOf(texts: { readonly [uri: string]: string }, calls: Calls = []) {
  const answer = (uri: string) => {
    calls.push(uri);
    const text = texts[uri];
    return Promise.resolve(text === undefined ? err({ type: 'not-found' } as const) : ok(text));
  };
  const deps: SchemaLoaderDeps = { fetchText: (url) => answer(url.href), readFile: (path) => answer(path) };
  return createSchemaLoader(deps);
}
const AT = 'https://harbour.example/boat.json';
const load = (body: unknown) => loaderOf({ [AT]: typeof body === 'string' ? body : JSON.stringify(body) }).load(AT);
async function loaded(body: unknown): Promise<LoadedSchema> {
  const result = await load(body);
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}
const vectors = JSON.parse(readFileSync(new URL('../../../../vectors/schema.json', import.meta.url), 'utf8')) as {
  hashes: { body: JsonObject; hash: string }[];
  formats: { format: keyof typeof schemaFormats; text: string; valid: boolean; instant?: number }[];
};

describe('loading', () => {
  it('[SCH-1] a schema is its $id and hash, whether found by short name, $id, file or address', async () => {
    const calls: Calls = [];
    const text = JSON.stringify(boat);
    const loader = loaderOf({ [AT]: text, '/boats/my boat.json': text }, calls);
    const [byAddress, byFile, byId] = [
      await loader.load(AT),
      await loader.load('file:///boats/my%20boat.json'),
      await loader.load(String(boat.$id)),
    ];
    expect(byAddress).toMatchObject({ ok: true, value: { id: boat.$id, title: 'Boat', databaseName: 'harbour_boat' } });
    expect(byFile).toEqual(byAddress);
    expect(byId).toEqual(byAddress);
    await loader.load(AT);
    expect(calls).toEqual([AT, '/boats/my boat.json']);
    const [short, long] = [await loader.load('social/contact'), await loader.load(CONTACT)];
    expect(short).toMatchObject({ ok: true, value: { id: CONTACT, databaseName: 'social_contact' } });
    expect(long).toEqual(short);
  });

  it('[SCH-1] the hash is of the canonical JSON: spaces and the order of keys do not count', async () => {
    expect(vectors.hashes.length).toBeGreaterThan(0);
    for (const { body, hash } of vectors.hashes) {
      const reversed = Object.fromEntries(Object.entries(body).reverse());
      expect((await loaded(body)).hash).toBe(hash);
      expect((await loaded(JSON.stringify(reversed, null, 3))).hash).toBe(hash);
    }
  });

  it('[SCH-2] a second body under a known $id is refused, and the first stays', async () => {
    const other = 'https://mirror.example/boat.json';
    const copy = 'https://copy.example/boat.json';
    const loader = loaderOf({
      [AT]: JSON.stringify(boat),
      [copy]: JSON.stringify(boat, null, 1),
      [other]: JSON.stringify({ ...boat, title: 'Ship' }),
    });
    await loader.load(AT);
    expect(await loader.load(other)).toEqual(err({ type: 'schema-mismatch' }));
    expect(await loader.load(copy)).toMatchObject({ ok: true, value: { title: 'Boat' } });
    expect(await loader.load(String(boat.$id))).toMatchObject({ ok: true, value: { title: 'Boat' } });
  });

  it('[SCH-2] nobody else speaks for a bundled $id; the bundled body itself may come from anywhere', async () => {
    const contact = bundledSchemas.get(CONTACT) as JsonObject;
    expect(await load({ ...contact, title: 'Evil' })).toEqual(err({ type: 'schema-mismatch' }));
    expect(await load(contact)).toMatchObject({ ok: true, value: { id: CONTACT } });
  });

  it('[SCH-3] what is absent, malformed, too large or too deep says so', async () => {
    const nested = (depth: number): string => `${'{"not":'.repeat(depth)}{}${'}'.repeat(depth)}`;
    expect(await load('{"$id":')).toEqual(err({ type: 'malformed' }));
    expect(await load('[]')).toEqual(err({ type: 'malformed' }));
    expect(await load({ ...boat, note: 'x'.repeat(256 * 1024) })).toEqual(err({ type: 'too-large' }));
    expect(await load(nested(33))).toEqual(err({ type: 'too-deep' }));
    const loader = loaderOf({});
    for (const uri of [
      'no/such',
      'http://harbour.example/boat.json',
      'file://host/boat.json',
      'file:///%E0',
      'ftp://a/b',
    ])
      expect(await loader.load(uri), uri).toEqual(err({ type: 'not-found' }));
    expect(await loader.load(AT)).toEqual(err({ type: 'not-found' }));
    expect(await createSchemaLoader({}).load(AT)).toEqual(err({ type: 'not-found' }));
    const offline = createSchemaLoader({ fetchText: () => Promise.resolve(err({ type: 'refused' })) });
    expect(await offline.load(AT)).toEqual(err({ type: 'unreachable' }));
  });

  it('[SCH-3] only 2020-12 with one https $id at the root', async () => {
    const { $id: _, ...nameless } = boat;
    const draft7 = { ...boat, $schema: 'http://json-schema.org/draft-07/schema#' };
    const inner = { ...boat, properties: { a: { $id: BASE } } };
    for (const body of [nameless, { ...boat, $id: 'boat' }, { ...boat, $id: 'http://a.example/b' }, draft7, inner])
      expect(await load(body)).toMatchObject({ ok: false, error: { type: 'bad-schema' } });
  });

  it('a failure is not kept: the next load tries again', async () => {
    const texts: { [uri: string]: string } = {};
    const loader = loaderOf(texts);
    expect((await loader.load(AT)).ok).toBe(false);
    texts[AT] = JSON.stringify(boat);
    expect((await loader.load(AT)).ok).toBe(true);
  });
});

describe('what a schema declares', () => {
  it('[SCH-9] each of the six merges, an extreme with the format of its field', async () => {
    const properties = {
      ...{ a: { type: 'integer', merge: 'counter' }, b: { type: 'number', merge: 'max' }, c: { merge: 'immutable' } },
      ...{ d: { type: 'string', format: 'partial-date', merge: 'min' }, e: { type: 'string', merge: 'max' } },
      ...{ f: { $ref: '#/$defs/names' }, g: { type: 'string', merge: 'lww' } },
      h: { allOf: [{ type: 'string', format: 'date' }], merge: 'max' },
    };
    expect(Object.fromEntries((await loaded({ ...boat, allOf: undefined, properties })).merges)).toEqual({
      ...{ a: 'counter', b: 'max', c: 'immutable', d: 'min partial-date', e: 'max', f: 'set', h: 'max date' },
    });
  });

  it('[SCH-9] refuses a merge that is unknown or not for the type of its field', async () => {
    for (const field of [
      ...[
        { merge: 'sum' },
        { merge: 1 },
        { type: 'integer', merge: ['counter'] },
        { type: 'string', merge: 'max date' },
      ],
      ...[{ type: 'string', merge: 'counter' }, { type: 'number', merge: 'counter' }, { merge: 'counter' }],
      ...[{ type: 'object', merge: 'max' }, { type: ['integer', 'null'], merge: 'min' }, { merge: 'max' }],
      ...[
        { type: 'string', merge: 'set' },
        { allOf: [{ type: 'boolean' }], merge: 'min' },
      ],
    ])
      expect(await load({ ...boat, properties: { field } }), JSON.stringify(field)).toMatchObject({
        ok: false,
        error: { type: 'bad-schema', text: expect.stringContaining('merge') as string },
      });
  });

  it('[SCH-9] indexes, formats and merges, inherited and referred-to ones included', async () => {
    const schema = await loaded(boat);
    expect(schema.indexes).toEqual([
      { name: 'built', fields: ['built'] },
      { name: 'typeBuilt', fields: ['type', 'built'] },
    ]);
    expect([...schema.merges]).toEqual([['crew', 'set']]);
    expect(Object.fromEntries(schema.formats)).toMatchObject({
      ...{ insertedAt: 'date-time', built: 'partial-date', 'trips.day': 'date', 'contact.birthday': 'date' },
    });
    const withSibling = { ...boat, allOf: undefined, $ref: BASE, properties: { on: { format: 'date' } } };
    expect(Object.fromEntries((await loaded(withSibling)).formats)).toMatchObject({
      insertedAt: 'date-time',
      on: 'date',
    });
  });

  it('[SCH-9] too many indexes are refused', async () => {
    const indexes = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`i${i}`, ['type']]));
    const wide = { wide: Array.from({ length: 9 }, (_, i) => `f${i}`) };
    for (const database of [{ indexes }, { indexes: wide }])
      expect(await load({ ...boat, database })).toMatchObject({ ok: false, error: { type: 'bad-schema' } });
  });

  it('[SCH-9] no schema from elsewhere takes the database of keys, messages, schemas or a bundled schema', async () => {
    for (const name of [KEYCHAIN, INBOX, 'schemas', 'social_contact', '', 'a/b', 5, 'x'.repeat(65)]) {
      const result = await load({ ...boat, database: { name } });
      if (name === 5) expect(result).toMatchObject({ ok: true, value: { databaseName: 'harbour_example_boat' } });
      else expect(result).toMatchObject({ ok: false, error: { type: 'bad-schema', text: /database.name/ } });
    }
  });

  it('[SCH-9] without a name the database is called after host and path', async () => {
    const nameOf = async ($id: string) => (await loaded({ ...boat, $id, database: {} })).databaseName;
    expect(await nameOf('https://harbour.example/keychain/v1.0.0/schema.json')).toBe('harbour_example_keychain');
    expect(await nameOf('https://7seas.example/inbox')).toBe('s_7seas_example_inbox');
    const [a, b] = [
      await nameOf(`https://a.example/${'x'.repeat(99)}1`),
      await nameOf(`https://a.example/${'x'.repeat(99)}2`),
    ];
    expect([a.length, b.length, a === b]).toEqual([64, 64, false]);
  });
});

describe('formats', () => {
  it('[SCH-7] the vectors are accepted or refused, and what is accepted is that instant to a filter', () => {
    expect(vectors.formats.length).toBeGreaterThan(20);
    for (const { format, text, valid, instant } of vectors.formats) {
      expect([text, schemaFormats[format](text)]).toEqual([text, valid]);
      if (valid) expect([text, parseInstant(text, format)]).toEqual([text, instant]);
    }
  });

  it('[SCH-7] prop: whatever satisfies a format is an instant to a filter, and no day outside the calendar does', () => {
    const two = (max: number) => fc.integer({ min: 0, max }).map((n) => String(n).padStart(2, '0'));
    const zone = fc.oneof(
      fc.constantFrom('Z', '', 'z'),
      fc.tuple(fc.constantFrom('+', '-'), two(16), two(61)).map(([s, h, m]) => `${s}${h}:${m}`),
    );
    const time = fc.tuple(two(25), two(61), two(61), fc.constantFrom('', '.5', '.123456789', '.1234567891'), zone);
    const text = fc
      .tuple(
        fc.constantFrom('0000', '1900', '2000', '2023', '2024'),
        two(13),
        two(32),
        time,
        fc.integer({ min: 0, max: 3 }),
      )
      .map(
        ([y, mo, d, [h, mi, s, f, z], parts]) =>
          [y, `${y}-${mo}`, `${y}-${mo}-${d}`, `${y}-${mo}-${d}T${h}:${mi}:${s}${f}${z}`][parts] as string,
      );
    const formats = fc.constantFrom('date', 'date-time', 'partial-date');
    fc.assert(
      fc.property(text, formats, (value, format) => {
        const isValid = schemaFormats[format](value);
        if (isValid) expect(parseInstant(value, format)).toBeTypeOf('number');
        if (format !== 'date-time' && !value.includes('T'))
          expect(isValid).toBe(parseInstant(value, format) !== undefined);
      }),
      { seed: 20_261_124, numRuns: 4_000 },
    );
  });

  it('[SCH-7] a nested date from a schema from elsewhere is checked, and any other format is a remark', async () => {
    const schema = await loaded({ ...boat, properties: { mail: { format: 'email' }, at: { format: 'date-time' } } });
    const issues = schema.validate({
      type: 'sloop',
      mail: 'none',
      trips: [{ day: '2026-02-28' }, { day: '2026-02-30' }],
      at: 'x',
    });
    expect(issues.map((i) => i.path).sort()).toEqual(['/at', '/trips/1/day']);
  });
});
