import { isJsonObject, type JsonObject, type JsonValue } from '@sluice/core/base';
import { bundledAliases } from '@sluice/schemas';
import { describe, expect, it } from 'vitest';
import { describeBundled, type LoadedSchema } from './loaded-schema.ts';
import { createInterpreter } from './interpreter.ts';
import { restrictSchema } from './restrict-schema.ts';

const recordFields = {
  _id: 'r-1',
  _rev: '1-ab',
  schema: 'https://schemas.sluice.example/record/v0.1.0/schema.json',
  insertedAt: '2026-03-01T09:00:00.000Z',
  modifiedAt: '2026-03-01T09:00:00+01:00',
  archived: false,
  signatures: { 'did:web:clinic.example': { ed25519: 'c2ln' } },
  sourceApplication: 'did:web:clinic.example',
  sourceAccountId: 'a-1',
  sourceId: 's-1',
  sourceData: { raw: [1, null] },
  proof: [{ type: 'DataIntegrityProof' }],
};
const baseFields = { ...recordFields, name: 'Nieuwe brug', summary: 'kort', icon: 'data:,' };
const reference = { reference: 'urn:uuid:1' };
const fhirFields = {
  ...recordFields,
  id: 'x-1',
  status: 'final',
  subject: reference,
  meta: { lastUpdated: '2026-03-01T09:00:00Z' },
};
const period = { start: '2026-03', end: '2026-03-30T10:25:00+02:00' };

/** One record a schema that uses every field it describes. */
const VALID: { readonly [alias: string]: JsonObject } = {
  record: recordFields,
  base: baseFields,
  note: { ...baseFields, content: 'tekst', tags: ['a'] },
  'social/contact': {
    ...{ ...baseFields, firstName: 'Jan', lastName: 'de Boer', email: 'jan@example.org', mobile: '+31 6 5550 1000' },
    ...{ phone: '0118', organization: 'Boulevard', address: { city: 'Vlissingen' }, birthday: '1988-02-29' },
    ...{ tags: ['work'], note: 'twins' },
  },
  'social/post': {
    ...{
      ...baseFields,
      content: 'First frost.',
      type: 'note',
      createdAt: '2026-01-10T12:00:00Z',
      uri: 'https://a.example',
    },
    ...{ visibility: 'public', tags: ['ice', 'polder'] },
  },
  'profile/basic': {
    ...{ ...baseFields, country: 'NL', description: 'd', website: 'https://a.example', avatar: {} },
    dateOfBirth: '1988-11-05',
  },
  'preferences/dietary': { ...baseFields, diet: 'vegan', allergies: ['nuts'], dislikes: ['kale'], notes: 'none' },
  'preferences/advertising': { ...baseFields, interests: ['bikes'], optOut: ['cars'], personalized: true },
  'game/save': { ...baseFields, level: 3, state: { hp: 4 }, savedAt: '2026-01-10T12:00:00Z' },
  'health/measurement': {
    ...{ ...baseFields, type: 'weight', date: '2026-01-10T12:00:00Z', value: 70.5, unit: 'kg', version: 2, note: '' },
  },
  'credential/base': {
    ...{ ...baseFields, credentialSchema: 'https://a.example/s', credentialData: {}, issuer: 'did:web:a.example' },
    ...{ issuedOn: '2020-01-01', expiresOn: '2030-01-01' },
  },
  'credential/driving-licence': {
    ...{ ...baseFields, credentialSchema: 'https://a.example/s', credentialData: {}, licenceNumber: 'DL-1' },
    ...{ country: 'NL', category: 'B', issuedOn: '2020-01-01', expiresOn: '2030-01-01' },
  },
  'inbox/entry': {
    ...{ ...recordFields, type: 'inbox/type/message', from: 'did:web:a.example', to: 'did:web:b.example' },
    ...{
      context: 'App',
      message: 'hello',
      data: {},
      sentAt: 1,
      expiresAt: 2,
      receivedAt: 3,
      replyTo: 'm',
      read: false,
    },
    status: 'accepted',
  },
  'inbox/type/message': { subject: 's', message: 'm', link: { url: 'https://a.example', text: 't' }, replyId: 'r' },
  'inbox/type/dataSend': { data: [{ schema: 'note' }], replyId: 'r' },
  'inbox/type/dataRequest': {
    ...{ requestSchema: 'note', filter: {}, userSelect: true, userSelectLimit: 2, purpose: 'p' },
    fallbackAction: { label: 'l', url: 'https://a.example' },
  },
  'inbox/type/status': { replyId: 'r', status: 'declined', failed: [0, 2] },
  'inbox/type/syncAccept': { replyId: 'r', grants: ['g'], acceptance: 'AAAA' },
  'inbox/type/syncDrop': { grants: ['g'], attestation: 'AAAA' },
  'inbox/type/syncWiped': { grants: ['g'], attestation: 'AAAA' },
  'inbox/type/syncTerms': { grantId: 'g', receipt: 'AAAA' },
  'inbox/type/datastoreSync': { schema: 'note', filter: {}, direction: 'pull', request: 'AAAA', purpose: 'p' },
  'inbox/type/syncRequest': { request: 'AAAA', purpose: 'p' },
  'inbox/type/syncGrant': { replyId: 'r', grants: [{}], node: {}, space: 's', keys: 'k', receipt: 'r' },
  'fhir/patient': {
    ...{
      ...fhirFields,
      resourceType: 'Patient',
      name: [{ family: 'Duinkerken' }],
      birthDate: '1988-11',
      gender: 'female',
    },
    ...{ identifier: [{ value: 'CN-1' }], deceasedDateTime: '2025' },
  },
  'fhir/immunization': {
    ...{ ...fhirFields, resourceType: 'Immunization', vaccineCode: { text: 'Influenza' }, patient: reference },
    ...{ occurrenceDateTime: '2025-02', occurrenceString: 'winter', recorded: '2025-02-03', primarySource: true },
    expirationDate: '2026-01-01',
  },
  'fhir/observation': {
    ...{
      ...fhirFields,
      resourceType: 'Observation',
      code: { text: 'Weight' },
      effectiveDateTime: '2025',
      effectivePeriod: period,
    },
    ...{
      effectiveInstant: '2025-01-01T00:00:00Z',
      issued: '2025-01-01T00:00:00Z',
      valueQuantity: {},
      valueString: 's',
    },
    ...{ valueCodeableConcept: {}, valueDateTime: '2025', component: [{}] },
  },
  'fhir/condition': {
    ...{ ...fhirFields, resourceType: 'Condition', code: {}, onsetDateTime: '2011', abatementDateTime: '2012-01' },
    ...{ onsetPeriod: period, recordedDate: '2011-05-01', clinicalStatus: {}, verificationStatus: {} },
  },
  'fhir/encounter': { ...fhirFields, resourceType: 'Encounter', class: { code: 'AMB' }, period },
  'fhir/diagnostic-report': {
    ...{
      ...fhirFields,
      resourceType: 'DiagnosticReport',
      code: {},
      effectiveDateTime: '2026-01-19',
      effectivePeriod: period,
    },
    ...{ issued: '2026-01-19T10:00:00Z', conclusion: 'normal' },
  },
  'fhir/procedure': {
    ...{ ...fhirFields, resourceType: 'Procedure', code: {}, performedDateTime: '2022-07', performedPeriod: period },
  },
  'fhir/resource': { ...fhirFields, resourceType: 'Organization', name: 'Praktijk aan de Boulevard' },
};

const OTHER_VALUES: readonly JsonValue[] = [
  ...[null, true, 0, -1, 1.5, 1e9, '', 'accepted', 'x'.repeat(300_000), '😀'.repeat(130)],
  ...[[], [{}], ['x', 'x'], [1, 'y'.repeat(70)], Array.from({ length: 300 }, (_, i) => `${i}`), {}, { url: 1 }],
  ...[
    '2024',
    '2024-02',
    '2023-02-29',
    '2024-02-29',
    '2024-02-29T08:00:00Z',
    '2024-02-29t08:00:00z',
    '2024-02-29T25:00:00Z',
  ],
];

/** Every record that differs from a valid one in one place, at any depth. */
function* neighbours(value: JsonValue): Generator<JsonValue> {
  yield* OTHER_VALUES;
  if (Array.isArray(value))
    for (const [i, item] of value.entries())
      for (const other of neighbours(item as JsonValue)) yield value.map((old, j) => (i === j ? other : old));
  if (!isJsonObject(value)) return;
  for (const [name, item] of Object.entries(value)) {
    const { [name]: _, ...rest } = value;
    yield rest;
    for (const other of neighbours(item)) yield { ...value, [name]: other };
  }
}

function interpreted(schema: LoadedSchema) {
  const restricted = restrictSchema(schema.body);
  if (!restricted.ok) throw new Error(restricted.error);
  return createInterpreter(restricted.value);
}
const bundled = (alias: string): LoadedSchema => describeBundled(bundledAliases.get(alias) ?? '') as LoadedSchema;

describe('ahead-compiled and interpreted', () => {
  it('has a record of every bundled schema to compare on', () => {
    expect(Object.keys(VALID).sort()).toEqual([...bundledAliases.keys()].sort());
  });

  it.each(Object.keys(VALID))('[SCH-8] %s: both accept the same records, and name the same places', (alias) => {
    const schema = bundled(alias);
    const interpret = interpreted(schema);
    const record = VALID[alias] as JsonObject;
    expect(schema.validate(record)).toEqual([]);
    expect(interpret(record)).toEqual([]);
    const counts = { good: 0, bad: 0 };
    for (const other of neighbours(record)) {
      const [compiled, slow] = [schema.validate(other), interpret(other)];
      counts[compiled.length === 0 ? 'good' : 'bad']++;
      const places = (issues: typeof compiled) => [...new Set(issues.map((i) => i.path))].sort();
      if (String(places(compiled)) !== String(places(slow)))
        expect([alias, JSON.stringify(other).slice(0, 300), slow]).toEqual([alias, '', compiled]);
    }
    expect(counts.good).toBeGreaterThan(0);
    expect(counts.bad).toBeGreaterThan(20);
  });
});
