import { readFileSync } from 'node:fs';
import addFormats from 'ajv-formats';
import Ajv2020 from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generate } from '../scripts/compile.mjs';
import { bundledAliases, bundledSchemas, bundledValidators, type SchemaBody, schemaFormats } from './index.ts';

const generated = new URL('./generated/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, generated), 'utf8');
const ABSTRACT = new Set(['base', 'record']);
const PAYLOAD = /^inbox\/type\//;
const RECORD_FIELDS = [
  ...['_id', '_rev', 'schema', 'insertedAt', 'modifiedAt', 'archived', 'signatures', 'proof'],
  ...['sourceApplication', 'sourceAccountId', 'sourceId', 'sourceData'],
];

const bodyOf = (alias: string): SchemaBody => bundledSchemas.get(bundledAliases.get(alias) ?? '') as SchemaBody;
const issuesOf = (alias: string, record: unknown) =>
  bundledValidators.get(bundledAliases.get(alias) ?? '')?.(record) ?? [{ path: '', message: 'no validator' }];
const databaseOf = (alias: string) =>
  bodyOf(alias).database as { name: string; indexes: Record<string, string[]> } | undefined;

/** Every dot path that a schema describes, inherited ones included. */
function pathsOf(schema: SchemaBody, at = ''): string[] {
  const parts = [...((schema.allOf as SchemaBody[] | undefined) ?? [])];
  const target = bundledSchemas.get(String(schema.$ref));
  if (target) parts.push(target);
  const fields = Object.entries((schema.properties as Record<string, SchemaBody> | undefined) ?? {});
  return [
    ...parts.flatMap((part) => pathsOf(part, at)),
    ...fields.flatMap(([name, part]) => [`${at}${name}`, ...pathsOf(part, `${at}${name}.`)]),
  ];
}

describe('generated code', () => {
  it('is what the definitions give, byte for byte', async () => {
    const files = await generate();
    expect(Object.keys(files)).toEqual(['validators.ts', 'catalog.ts']);
    for (const [name, text] of Object.entries(files)) expect(text === read(name), name).toBe(true);
  });

  it('generates no code when it runs and needs no other package', () => {
    const text = read('validators.ts');
    expect(text).not.toMatch(/new Function|\beval\(|\bimport\b[^;\n]*from\s*["']/);
    expect(text).not.toMatch(/[^_'"]\brequire\(/);
  });
});

describe('definitions', () => {
  it.each([...bundledAliases])('%s has an $id of its short name', (alias, id) => {
    expect(id).toBe(`https://schemas.sluice.example/${alias}/v0.1.0/schema.json`);
    expect(bodyOf(alias)).toMatchObject({ $id: id, $schema: 'https://json-schema.org/draft/2020-12/schema' });
    expect(String(bodyOf(alias).description).length).toBeGreaterThan(10);
  });

  it('names a database of its own and indexes only fields that the schema describes', () => {
    const concrete = [...bundledAliases.keys()].filter((alias) => !ABSTRACT.has(alias));
    const names = concrete.map((alias) => databaseOf(alias)?.name);
    expect(new Set(names).size).toBe(concrete.length);
    for (const alias of concrete) {
      const indexes = databaseOf(alias)?.indexes ?? {};
      const paths = new Set(pathsOf(bodyOf(alias)));
      for (const fields of Object.values(indexes))
        expect([alias, fields.filter((f) => !paths.has(f))]).toEqual([alias, []]);
      expect(Object.keys(indexes).length > 0 || PAYLOAD.test(alias), alias).toBe(true);
    }
  });

  it('[SCH-11] every schema of records carries the record fields, and FHIR keeps its own name, text and id', () => {
    const ofRecords = [...bundledAliases.keys()].filter((alias) => !PAYLOAD.test(alias));
    for (const alias of ofRecords) expect(pathsOf(bodyOf(alias)), alias).toEqual(expect.arrayContaining(RECORD_FIELDS));
    const patient = { resourceType: 'Patient', name: [{ family: 'Duinkerken' }], text: { div: '' }, id: 'p-1' };
    expect(issuesOf('fhir/patient', patient)).toEqual([]);
    expect(issuesOf('fhir/patient', { ...patient, name: 'Duinkerken' })).toHaveLength(1);
    expect(issuesOf('fhir/resource', { resourceType: 'Organization', name: 'Praktijk' })).toEqual([]);
    expect(issuesOf('fhir/patient', { ...patient, insertedAt: 'yesterday' })).toHaveLength(1);
    expect(issuesOf('social/contact', { name: [{ family: 'Duinkerken' }] })).toHaveLength(1);
  });

  it('says of credentials that they are self-attested', () => {
    for (const alias of ['credential/base', 'credential/driving-licence']) {
      expect(String(bodyOf(alias).description)).toMatch(/self-attested.*never shown as verified/is);
    }
  });
});

describe('validators', () => {
  it('[SCH-10] issues name places and rules, no value of the record', () => {
    const secret = 'canary-7731';
    const record = {
      firstName: { a: secret },
      birthday: secret,
      tags: [1, secret.repeat(40)],
      email: secret.repeat(60),
    };
    const issues = issuesOf('social/contact', record);
    expect(issues.map((i) => i.path).sort()).toEqual(['/birthday', '/email', '/firstName', '/tags/0', '/tags/1']);
    expect(JSON.stringify(issues)).not.toContain(secret);
  });

  it('reports at most twenty issues', () => {
    expect(issuesOf('note', { tags: Array.from({ length: 200 }, () => 1) })).toHaveLength(20);
  });
});

describe('formats', () => {
  const { date, 'date-time': dateTime, 'partial-date': partialDate } = schemaFormats;

  it('partial-date takes a year, a month, a day or an instant', () => {
    const good = ['2024', '2024-02', '2024-02-29', '2024-02-29T23:59:60Z', '2024-02-29T08:00:00.125+14:00'];
    const bad = [
      '',
      '24',
      '2024-13',
      '2024-00',
      '2023-02-29',
      '2024-02-29T08:00Z',
      '2024-02-29T08:00:00',
      '2024-1',
      ' 2024',
    ];
    expect(good.filter((text) => !partialDate(text))).toEqual([]);
    expect(bad.filter(partialDate)).toEqual([]);
    expect([dateTime('2024-02-29'), date('2024-02'), date('2024-02-29T08:00:00Z')]).toEqual([false, false, false]);
  });

  it('prop: a date is a date to ajv-formats too, and an instant here is one there', () => {
    const ajv = new Ajv2020.default();
    addFormats.default(ajv);
    const reference = (format: string) => ajv.compile({ type: 'string', format });
    const [isDate, isDateTime] = [reference('date'), reference('date-time')];
    const part = (max: number) => fc.integer({ min: 0, max }).map((n) => String(n).padStart(2, '0'));
    const day = fc.tuple(fc.integer({ min: 0, max: 9999 }), part(13), part(32));
    const zone = fc.constantFrom('Z', 'z', '', '+02:00', '-05:30', '+14:00', '+1400', '+24:00');
    const arbitrary = fc.record({
      day,
      time: fc.tuple(part(24), part(60), part(59)),
      zone,
      t: fc.constantFrom('T', 't', ' '),
    });
    fc.assert(
      fc.property(arbitrary, ({ day: [y, m, d], time, zone: z, t }) => {
        const dayText = `${String(y).padStart(4, '0')}-${m}-${d}`;
        const text = `${dayText}${t}${time.join(':')}${z}`;
        expect(date(dayText)).toBe(isDate(dayText));
        expect(!dateTime(text) || isDateTime(text)).toBe(true);
        expect(partialDate(text)).toBe(dateTime(text));
      }),
      { seed: 20_261_124, numRuns: 3_000 },
    );
  });
});
