import { readFileSync } from 'node:fs';
import { err, type JsonObject } from '@sluice/core/base';
import { parseInstant, parseSpan, type Span, subtractSpan } from '@sluice/core/filter';
import { bundledAliases, bundledValidators } from '@sluice/schemas';
import { describe, expect, it } from 'vitest';
import { type FhirBundle, readFhirBundle, readJsonLines } from './index.ts';

const root = new URL('../../../../', import.meta.url);
const readText = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const vectors = JSON.parse(readText('vectors/schema.json')) as {
  fhirIds: { fullUrl?: string; resourceType: string; id: string; _id: string }[];
  jsonLines: { line: string; _id: string }[];
};

const bundleOf = (entry: readonly unknown[], type = 'collection') =>
  JSON.stringify({ resourceType: 'Bundle', type, entry });
function read(text: string): FhirBundle {
  const result = readFhirBundle(text);
  if (!result.ok) throw new Error(result.error.type);
  return result.value;
}
const observation = (more: JsonObject = {}): JsonObject => ({
  resourceType: 'Observation',
  id: 'o-1',
  code: {},
  ...more,
});
const issuesOf = (schema: string, record: unknown) =>
  bundledValidators.get(bundledAliases.get(schema) ?? schema)?.(record) ?? ['no validator'];

describe('FHIR bundles', () => {
  it('[SCH-12] ids are those of the vectors: of fullUrl, or of type and id', () => {
    expect(vectors.fhirIds.length).toBeGreaterThan(2);
    for (const { fullUrl, resourceType, id, _id } of vectors.fhirIds) {
      const resource = { resourceType, id, code: {}, vaccineCode: {} };
      const { records } = read(bundleOf([{ ...(fullUrl ? { fullUrl } : {}), resource }]));
      expect(records.map((r) => r.record._id)).toEqual([_id]);
    }
  });

  it('[SCH-12] reading again gives the same records, and an edited resource keeps its id', () => {
    const text = readText('examples/data/bundle.json');
    expect(read(text)).toEqual(read(text));
    const [before, after] = ['final', 'amended'].map((status) =>
      read(bundleOf([{ resource: observation({ status }) }])),
    );
    expect(after?.records[0]?.record._id).toBe(before?.records[0]?.record._id);
    expect(after?.records[0]?.record.status).toBe('amended');
  });

  it('[SCH-13] the good are taken, the others listed with place, reason and name', () => {
    const secret = 'canary-7731';
    const entries = [
      { fullUrl: 'urn:uuid:1', resource: observation() },
      { fullUrl: 'urn:uuid:2' },
      'nonsense',
      { fullUrl: 'urn:uuid:3', resource: { id: 'x' } },
      { resource: { resourceType: 'Observation', code: {} } },
      { fullUrl: 'urn:uuid:1', resource: observation({ status: 'final' }) },
      { fullUrl: 'urn:uuid:4', resource: observation(), request: { method: 'DELETE', url: 'Observation/o-1' } },
      { resource: observation({ id: 'o-9', effectiveDateTime: secret }) },
      { fullUrl: 'x'.repeat(3_000), resource: observation() },
      { fullUrl: 'urn:uuid:5', resource: observation() },
    ];
    const { records, problems, counts } = read(bundleOf(entries, 'transaction'));
    expect(records.map((r) => r.record.status)).toEqual([undefined, undefined]);
    expect(counts).toEqual({ 'fhir/observation': 2 });
    expect(problems).toMatchObject([
      { index: 1, reason: 'holds no resource', ref: 'urn:uuid:2' },
      { index: 2, reason: 'holds no resource' },
      { index: 3, reason: 'names no resource type', ref: 'urn:uuid:3' },
      { index: 4, reason: /neither fullUrl nor id/ },
      { index: 5, reason: 'names itself like entry 0', ref: 'urn:uuid:1' },
      { index: 6, reason: 'asks for a deletion', ref: 'urn:uuid:4' },
      { index: 7, reason: /does not match fhir\/observation: \/effectiveDateTime/, ref: 'Observation/o-9' },
      { index: 8, reason: /over 2048/ },
    ]);
    expect(JSON.stringify(problems)).not.toContain(secret);
  });

  it('[SCH-13] transaction, batch and collection are read, an empty one too; anything else says why not', () => {
    for (const type of ['transaction', 'batch', 'collection'])
      expect(read(bundleOf([{ resource: observation() }], type)).records).toHaveLength(1);
    expect(read('{"resourceType":"Bundle","type":"batch"}')).toEqual({ records: [], problems: [], counts: {} });
    const refused = (text: string) => readFhirBundle(text, { maxBytes: 500 });
    for (const text of [bundleOf([], 'searchset'), '{"resourceType":"Patient"}', '[]', bundleOf({} as never)])
      expect(refused(text)).toEqual(err({ type: 'not-a-bundle' }));
    expect(refused('{')).toEqual(err({ type: 'malformed' }));
    expect(refused(bundleOf([{ resource: observation({ text: 'x'.repeat(500) }) }]))).toEqual(
      err({ type: 'too-large' }),
    );
    expect(refused(`${'['.repeat(65)}${']'.repeat(65)}`)).toEqual(err({ type: 'too-deep' }));
  });

  it('[SCH-14] each type goes to its schema, the rest to fhir/resource, and the file sets nothing the store keeps', () => {
    const types = ['Patient', 'Immunization', 'Observation', 'Condition', 'Encounter', 'DiagnosticReport', 'Procedure'];
    const others = ['Organization', 'Claim', 'constructor'].map((t) => t[0]?.toUpperCase() + t.slice(1));
    const kept = { _id: 'mine', _rev: '9-x', schema: 'note', insertedAt: 'x', modifiedAt: 5 };
    const entries = [...types, ...others].map((resourceType) => ({
      resource: { resourceType, id: 'r', code: {}, vaccineCode: {}, ...kept },
    }));
    const { records, problems, counts } = read(bundleOf(entries));
    expect(problems).toEqual([]);
    expect(counts).toEqual({
      ...{ 'fhir/patient': 1, 'fhir/immunization': 1, 'fhir/observation': 1, 'fhir/condition': 1, 'fhir/encounter': 1 },
      ...{ 'fhir/diagnostic-report': 1, 'fhir/procedure': 1, 'fhir/resource': 3 },
    });
    for (const { record } of records) {
      expect(Object.keys(record).sort()).toEqual(['_id', 'code', 'id', 'resourceType', 'vaccineCode']);
      expect(record._id).not.toBe('mine');
    }
  });
});

describe('JSON lines', () => {
  it('[SCH-15] ids are those of the vectors, whatever the order of keys; an own id is kept', () => {
    expect(vectors.jsonLines.length).toBeGreaterThan(2);
    for (const { line, _id } of vectors.jsonLines) expect(readJsonLines(line).records[0]?._id).toBe(_id);
    const [own] = readJsonLines('{"_id":"c-1","_rev":"4-x","name":"Jan"}').records;
    expect(own).toEqual({ _id: 'c-1', name: 'Jan' });
    expect(readJsonLines('{"name":"Jan","tags":["a"],"_rev":"1-a"}').records[0]?._id).toBe(vectors.jsonLines[0]?._id);
  });

  it('[SCH-15] bad lines are listed by number, the others are read', () => {
    const lines = [
      '\uFEFF{"_id":"1"}',
      '',
      '{"_id":',
      '[]',
      '{"_id":"2"}\r',
      '{"_id":7}',
      '{"_id":"1"}',
      '{"mobile":5}',
      '{"_id":"3"}',
    ];
    const read = readJsonLines(lines.join('\n'), { schema: 'social/contact' });
    expect(read.records.map((r) => r._id)).toEqual(['1', '2', '3']);
    expect(read.lines).toEqual([1, 5, 9]);
    expect(read.problems).toEqual([
      { line: 3, reason: 'not JSON' },
      { line: 4, reason: 'not a JSON object' },
      { line: 6, reason: 'its _id is not text' },
      { line: 7, reason: 'has the _id of line 1' },
      { line: 8, reason: 'does not match: /mobile must be string' },
    ]);
  });

  it('[SCH-15] limits: a line that is too large is left out, a text that is too large gives nothing', () => {
    const long = JSON.stringify({ _id: 'long', note: 'x'.repeat(1024 * 1024) });
    const { records, problems } = readJsonLines(`${long}\n{"_id":"1"}`);
    expect([records, problems]).toEqual([[{ _id: '1' }], [{ line: 1, reason: 'too-large' }]]);
    expect(readJsonLines('{"_id":"1"}', { maxBytes: 5 })).toEqual({
      records: [],
      lines: [],
      problems: [{ line: 1, reason: 'too-large' }],
    });
  });

  it('asks for a validator of a schema that is not bundled, and uses it', () => {
    expect(() => readJsonLines('{}', { schema: 'no/such' })).toThrow(TypeError);
    const validate = (record: JsonObject) => (record.n === 1 ? [] : [{ path: '/n', message: 'must be 1' }]);
    const { records, problems } = readJsonLines('{"n":1}\n{"n":2}', { schema: 'no/such', validate });
    expect([records.length, problems]).toEqual([1, [{ line: 2, reason: 'does not match: /n must be 1' }]]);
  });
});

describe('the example data', () => {
  const { records, problems, counts } = read(readText('examples/data/bundle.json'));

  it('imports but for the one broken resource, and holds every kind of resource', () => {
    expect(problems).toEqual([{ index: records.length, reason: 'names no resource type' }]);
    for (const schema of [...bundledAliases.keys()].filter((alias) => alias.startsWith('fhir/')))
      expect(counts[schema], schema).toBeGreaterThan(0);
    for (const { schema, record } of records) expect(issuesOf(schema, record)).toEqual([]);
  });

  it('has clinical dates in several precisions, on both sides of six months before the newest', () => {
    const texts = records
      .flatMap(({ record }) => [record.occurrenceDateTime, record.effectiveDateTime])
      .filter((d) => typeof d === 'string');
    const instants = texts.map((text) => parseInstant(text, 'partial-date') as number);
    const cutoff = subtractSpan(Math.max(...instants), parseSpan('P6M') as Span);
    const inside = instants.filter((at) => at >= cutoff).length;
    expect([inside > 3, instants.length - inside > 3]).toEqual([true, true]);
    expect(new Set(texts.map((text) => text.length))).toEqual(new Set([4, 7, 10, 20, 25]));
    expect(new Set(texts.map((text) => text.slice(19))).size).toBeGreaterThan(3);
  });

  it.each([
    ['contacts.jsonl', 'social/contact'],
    ['posts.jsonl', 'social/post'],
  ])('%s matches %s', (file, schema) => {
    const lines = readJsonLines(readText(`examples/data/${file}`), { schema });
    expect(lines.problems).toEqual([]);
    expect(lines.records.length).toBeGreaterThan(3);
    for (const record of lines.records) expect(issuesOf(schema, record)).toEqual([]);
  });
});
