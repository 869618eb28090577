/**
 * Writes vectors/schema.json: hashes, formats and imported ids, computed by Node's own crypto and calendar and by nothing of Sluice.
 */

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const FHIR = 'b6e5d0f2-6c1a-5c0e-9d3f-2a7c51c0de01';
const JSON_LINES = '2c9a1f4e-7b0d-5e6a-8f31-90d4b7e2aa02';

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}
const canonical = (value) => JSON.stringify(sorted(value));

/** RFC 9562, section 5.5. */
function uuidv5(namespace, name) {
  const space = Buffer.from(namespace.replaceAll('-', ''), 'hex');
  const bytes = createHash('sha1').update(space).update(name, 'utf8').digest().subarray(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x50;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

const berth = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://harbour.example/berth/v1.0.0/schema.json',
  title: 'Ligplaats',
  type: 'object',
  database: { name: 'harbour_berth', indexes: { since: ['since'] } },
  properties: {
    since: { type: 'string', format: 'partial-date' },
    é: { type: 'number', maximum: 1e21 },
    length: { type: 'number', minimum: 0.5 },
  },
};

const satisfies = (format, texts) =>
  texts.map(([text, meaning = text]) => ({ format, text, valid: true, instant: Date.parse(meaning) }));
const fails = (format, texts) => texts.map((text) => ({ format, text, valid: false }));
const midnight = (text, day = text) => [text, `${day}T00:00:00Z`];

const formats = [
  ...satisfies(
    'date',
    ['2024-02-29', '0099-12-31', '2000-02-29'].map((day) => midnight(day)),
  ),
  ...fails('date', ['2023-02-29', '1900-02-29', '2024-02', '2024-2-1', '2024-02-29T00:00:00Z']),
  ...satisfies('date-time', [
    ['2026-03-30T10:00:00+02:00'],
    ['2025-12-30T17:45:00-05:00'],
    ['2026-03-30T10:00:00.125Z'],
    ['2026-03-30T10:00:00.1259Z', '2026-03-30T10:00:00.125Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00Z'],
    ['2026-01-01T00:00:00+14:00'],
  ]),
  ...fails('date-time', ['2026-03-30', '2026-03-30T10:00Z', '2026-03-30T10:00:00', '2026-03-30 10:00:00Z']),
  ...fails('date-time', ['2026-03-30t10:00:00z', '2026-03-30T24:00:00Z', '2026-03-30T10:00:00+15:00']),
  ...fails('date-time', ['2026-02-30T10:00:00Z', '2026-03-30T10:00:00.1234567891Z']),
  ...satisfies('partial-date', [
    midnight('2025', '2025-01-01'),
    midnight('2025-02', '2025-02-01'),
    midnight('2025-02-03'),
    ['2025-02-03T04:05:06-07:00'],
  ]),
  ...fails('partial-date', ['', '25', '2025-13', '2025-00', '2025-02-30', '2025-02-03T04:05:06']),
];

const resources = [
  {
    fullUrl: 'urn:uuid:11111111-aaaa-4bbb-8ccc-000000000100',
    resourceType: 'Immunization',
    id: 'im-0',
  },
  { fullUrl: 'https://clinic.example/fhir/Observation/7', resourceType: 'Observation', id: '7' },
  { resourceType: 'Observation', id: '7' },
  { resourceType: 'Organization', id: 'boulevard-é' },
];
const lines = ['{"name":"Jan","tags":["a"]}', ' { "tags" : ["a"],\t"name":"Jan" } ', '{"name":"José"}'];

const vectors = {
  hashes: [{ body: berth, hash: createHash('sha256').update(canonical(berth)).digest('hex') }],
  formats,
  fhirIds: resources.map((r) => ({ ...r, _id: uuidv5(FHIR, r.fullUrl ?? `${r.resourceType}/${r.id}`) })),
  jsonLines: lines.map((line) => ({ line, _id: uuidv5(JSON_LINES, canonical(JSON.parse(line))) })),
};
writeFileSync(new URL('../../vectors/schema.json', import.meta.url), `${JSON.stringify(vectors, null, 2)}\n`);
