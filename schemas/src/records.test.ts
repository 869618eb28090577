/** Every bundled schema by example: one record that is right, the ways it can be wrong, and a filter that its own index answers. */

import { createTestNetwork, type Persona, type TestNetwork } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundledAliases, bundledValidators } from './index.ts';

type JsonRecord = { readonly [field: string]: unknown };
type Case = {
  readonly valid: JsonRecord;
  /** A change of it, and where the issue is then found. `undefined` takes the field away. */
  readonly wrong: readonly (readonly [change: JsonRecord, path: string])[];
  /** A filter that matches it, the index that answers it, and a change that does not match. Payloads of messages are no records. */
  readonly found?: { readonly filter: JsonRecord; readonly index: string; readonly not: JsonRecord };
};

const LONG = 'x'.repeat(300_000);
const BASE_WRONG: Case['wrong'] = [
  [{ name: '' }, '/name'],
  [{ name: 5 }, '/name'],
  [{ summary: LONG }, '/summary'],
  [{ signatures: 'signed' }, '/signatures'],
  [{ archived: 'yes' }, '/archived'],
  [{ insertedAt: '2026' }, '/insertedAt'],
];
const FHIR_WRONG: Case['wrong'] = [
  [{ resourceType: undefined }, '/'],
  [{ resourceType: 5 }, '/resourceType'],
  [{ id: 7 }, '/id'],
  [{ meta: { lastUpdated: 'today' } }, '/meta/lastUpdated'],
  [{ modifiedAt: 'soon' }, '/modifiedAt'],
];
const text = (...fields: string[]): Case['wrong'] =>
  fields.flatMap(
    (f) =>
      [
        [{ [f]: 5 }, `/${f}`],
        [{ [f]: LONG }, `/${f}`],
      ] as const,
  );
const notA = (format: string, ...fields: string[]): Case['wrong'] =>
  fields.map((f) => [{ [f]: format }, `/${f}`] as const);
const objects = (...fields: string[]): Case['wrong'] => fields.map((f) => [{ [f]: 'x' }, `/${f}`] as const);
const lists = (...fields: string[]): Case['wrong'] =>
  fields.flatMap(
    (f) =>
      [
        [{ [f]: 'x' }, `/${f}`],
        [{ [f]: [1] }, `/${f}/0`],
        [{ [f]: Array.from({ length: 257 }, (_, i) => `${i}`) }, `/${f}`],
      ] as const,
  );
const needs = (...fields: string[]): Case['wrong'] => fields.map((f) => [{ [f]: undefined }, '/'] as const);

const CASES: { readonly [alias: string]: Case } = {
  'social/contact': {
    valid: {
      name: 'Ada',
      firstName: 'Ada',
      lastName: 'Example',
      email: 'ada@example.org',
      mobile: '+31 6 1',
      birthday: '1990-02-28',
      tags: ['family'],
      address: { city: 'Delft' },
    },
    wrong: [
      ...BASE_WRONG,
      ...text('firstName', 'lastName', 'email', 'mobile', 'phone', 'organization', 'note'),
      ...notA('1990-02-30', 'birthday'),
      ...lists('tags'),
      ...objects('address'),
    ],
    found: { filter: { mobile: '+31 6 1' }, index: 'mobile', not: { mobile: '+32 4' } },
  },
  'profile/basic': {
    valid: {
      name: 'Ada',
      country: 'NL',
      description: 'Rows',
      website: 'ada.example',
      dateOfBirth: '1990-02-28',
      avatar: { uri: 'x' },
    },
    wrong: [
      ...BASE_WRONG,
      ...needs('name'),
      ...text('country', 'description', 'website'),
      ...notA('28-02-1990', 'dateOfBirth'),
      ...objects('avatar'),
    ],
    found: { filter: { country: 'NL' }, index: 'country', not: { country: 'BE' } },
  },
  'preferences/dietary': {
    valid: { name: 'Food', diet: 'vegetarian', allergies: ['nuts'], dislikes: ['liver'], notes: 'None' },
    wrong: [...BASE_WRONG, ...text('diet', 'notes'), ...lists('allergies', 'dislikes')],
    found: { filter: { modifiedAt: { $gte: '2020' } }, index: 'modifiedAt', not: {} },
  },
  'preferences/advertising': {
    valid: { name: 'Ads', interests: ['cycling'], optOut: ['gambling'], personalized: false },
    wrong: [...BASE_WRONG, ...lists('interests', 'optOut'), [{ personalized: 'no' }, '/personalized']],
    found: { filter: { modifiedAt: { $gte: '2020' } }, index: 'modifiedAt', not: {} },
  },
  'social/post': {
    valid: {
      name: 'Ride',
      content: 'A long ride',
      type: 'status',
      createdAt: '2026-04-02T09:30:00+02:00',
      uri: 'https://x.example/1',
      visibility: 'public',
      tags: ['bike'],
    },
    wrong: [
      ...BASE_WRONG,
      ...needs('content'),
      ...text('content', 'type', 'uri', 'visibility'),
      ...notA('2026-04-02', 'createdAt'),
      ...lists('tags'),
    ],
    found: {
      filter: { createdAt: { $gte: '2026-04-02' } },
      index: 'createdAt',
      not: { createdAt: '2026-04-01T00:00:00Z' },
    },
  },
  note: {
    valid: { name: 'Today', content: 'Sun', tags: ['weather'] },
    wrong: [...BASE_WRONG, ...text('content'), ...lists('tags')],
    found: { filter: { modifiedAt: { $gte: '2020' } }, index: 'modifiedAt', not: {} },
  },
  'credential/base': {
    valid: {
      name: 'Diploma',
      credentialSchema: 'https://x.example/diploma',
      credentialData: { a: 1 },
      issuer: 'did:web:x.example',
      issuedOn: '2015-05-01',
      expiresOn: '2035-05-01',
      proof: { type: 'x' },
    },
    wrong: [
      ...BASE_WRONG,
      ...needs('name', 'credentialSchema'),
      ...text('credentialSchema', 'issuer'),
      ...objects('credentialData', 'proof'),
      ...notA('2035', 'issuedOn', 'expiresOn'),
    ],
    found: { filter: { expiresOn: { $gt: '2030-01-01' } }, index: 'expiresOn', not: { expiresOn: '2029-01-01' } },
  },
  'credential/driving-licence': {
    valid: {
      name: 'Licence',
      licenceNumber: 'DL-1',
      country: 'NL',
      category: 'B',
      issuedOn: '2015-05-01',
      expiresOn: '2035-05-01',
    },
    wrong: [
      ...BASE_WRONG,
      ...needs('licenceNumber', 'country'),
      [{ licenceNumber: '' }, '/licenceNumber'],
      ...text('licenceNumber', 'country', 'category', 'credentialSchema'),
      ...objects('credentialData'),
      ...notA('soon', 'issuedOn', 'expiresOn'),
    ],
    found: { filter: { country: 'NL' }, index: 'country', not: { country: 'BE' } },
  },
  'game/save': {
    valid: { name: 'Slot 1', level: 7, state: { gold: 3 }, savedAt: '2026-04-02T09:30:00Z' },
    wrong: [
      ...BASE_WRONG,
      ...needs('level'),
      [{ level: -1 }, '/level'],
      [{ level: 1.5 }, '/level'],
      ...objects('state'),
      ...notA('2026', 'savedAt'),
    ],
    found: { filter: { savedAt: { $gte: '2026' } }, index: 'savedAt', not: { savedAt: '2025-01-01T00:00:00Z' } },
  },
  'health/measurement': {
    valid: {
      name: 'Weight',
      type: 'weight',
      date: '2026-04-02T09:30:00Z',
      value: 71.5,
      unit: 'kg',
      version: 1,
      note: 'x',
    },
    wrong: [
      ...BASE_WRONG,
      ...needs('type', 'date'),
      ...text('type', 'unit', 'note'),
      ...notA('2026-04-02', 'date'),
      [{ value: '71' }, '/value'],
      [{ version: 1.5 }, '/version'],
    ],
    found: { filter: { date: { $gte: '2026-04-02' } }, index: 'date', not: { date: '2026-04-01T00:00:00Z' } },
  },
  'inbox/entry': {
    valid: {
      type: 'inbox/type/message',
      from: 'did:web:x.example',
      to: 'did:web:y.example',
      message: 'Hi',
      data: {},
      sentAt: 5,
      expiresAt: 9,
      receivedAt: 6,
      read: false,
      status: 'accepted',
    },
    wrong: [
      ...needs('type', 'from', 'message', 'data', 'sentAt', 'read'),
      ...text('type', 'from', 'to', 'context', 'message', 'replyTo'),
      [{ status: 'maybe' }, '/status'],
      [{ sentAt: -1 }, '/sentAt'],
      [{ read: 1 }, '/read'],
      ...objects('data'),
    ],
    found: { filter: { sentAt: { $gte: 5 } }, index: 'sentAt', not: { sentAt: 4 } },
  },
  'fhir/patient': {
    valid: {
      resourceType: 'Patient',
      id: 'p',
      name: [{ family: 'Example' }],
      birthDate: '1990',
      gender: 'female',
      identifier: [],
      deceasedDateTime: '2026-04',
    },
    wrong: [
      ...FHIR_WRONG,
      ...notA('1990-13', 'birthDate', 'deceasedDateTime'),
      [{ name: 'Ada' }, '/name'],
      [{ identifier: {} }, '/identifier'],
      ...text('gender'),
    ],
    found: { filter: { birthDate: { $gte: '1990' } }, index: 'birthDate', not: { birthDate: '1989-12-31' } },
  },
  'fhir/immunization': {
    valid: {
      resourceType: 'Immunization',
      status: 'completed',
      vaccineCode: { text: 'Tdap' },
      patient: { reference: 'x' },
      occurrenceDateTime: '2026-04',
      primarySource: true,
      expirationDate: '2027',
    },
    wrong: [
      ...FHIR_WRONG,
      [{ resourceType: 'Patient' }, '/resourceType'],
      ...needs('vaccineCode'),
      ...objects('vaccineCode', 'patient'),
      ...notA('2026-4', 'occurrenceDateTime', 'recorded', 'expirationDate'),
      ...text('status', 'occurrenceString'),
      [{ primarySource: 'x' }, '/primarySource'],
    ],
    found: {
      filter: { occurrenceDateTime: { $gte: '2026-04-01' } },
      index: 'occurrence',
      not: { occurrenceDateTime: '2026-03-31' },
    },
  },
  'fhir/observation': {
    valid: {
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'Hb' },
      effectiveDateTime: '2026-04-02T09:30:00+02:00',
      issued: '2026-04-02T09:30:00Z',
      valueQuantity: { value: 13.9 },
      component: [],
    },
    wrong: [
      ...FHIR_WRONG,
      ...needs('code'),
      ...objects('code', 'subject', 'valueQuantity', 'valueCodeableConcept', 'effectivePeriod'),
      ...notA('2026-04-31', 'effectiveDateTime', 'valueDateTime'),
      ...notA('2026-04', 'issued', 'effectiveInstant'),
      ...text('status'),
      [{ component: {} }, '/component'],
    ],
    found: {
      filter: { effectiveDateTime: { $gte: '2026-04-02' } },
      index: 'effective',
      not: { effectiveDateTime: '2026-04-01' },
    },
  },
  'fhir/condition': {
    valid: {
      resourceType: 'Condition',
      code: { text: 'Asthma' },
      onsetDateTime: '2019',
      recordedDate: '2019-05-01',
      clinicalStatus: {},
    },
    wrong: [
      ...FHIR_WRONG,
      ...objects('code', 'subject', 'clinicalStatus', 'verificationStatus', 'onsetPeriod'),
      ...notA('19', 'onsetDateTime', 'abatementDateTime', 'recordedDate'),
    ],
    found: { filter: { onsetDateTime: { $lt: '2020' } }, index: 'onset', not: { onsetDateTime: '2021' } },
  },
  'fhir/encounter': {
    valid: { resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' }, period: { start: '2026-04-02' } },
    wrong: [
      ...FHIR_WRONG,
      ...objects('class', 'subject', 'period'),
      ...text('status'),
      [{ period: { start: 'x' } }, '/period/start'],
    ],
    found: { filter: { 'period.start': { $gte: '2026-04' } }, index: 'start', not: { period: { start: '2025' } } },
  },
  'fhir/diagnostic-report': {
    valid: {
      resourceType: 'DiagnosticReport',
      status: 'final',
      code: { text: 'Panel' },
      effectiveDateTime: '2026-04-02',
      conclusion: 'Fine',
    },
    wrong: [
      ...FHIR_WRONG,
      ...needs('code'),
      ...objects('code', 'subject', 'effectivePeriod'),
      ...notA('x', 'effectiveDateTime', 'issued'),
      ...text('status', 'conclusion'),
    ],
    found: {
      filter: { effectiveDateTime: { $gte: '2026-04' } },
      index: 'effective',
      not: { effectiveDateTime: '2026-03' },
    },
  },
  'fhir/procedure': {
    valid: {
      resourceType: 'Procedure',
      status: 'completed',
      code: { text: 'Suture' },
      performedDateTime: '2026-04-02',
      performedPeriod: { start: '2026-04-02' },
    },
    wrong: [
      ...FHIR_WRONG,
      ...objects('code', 'subject', 'performedPeriod'),
      ...notA('x', 'performedDateTime'),
      ...text('status'),
      [{ performedPeriod: { start: 'x' } }, '/performedPeriod/start'],
    ],
    found: {
      filter: { performedDateTime: { $gte: '2026-04' } },
      index: 'performedAt',
      not: { performedDateTime: '2026-03' },
    },
  },
  'fhir/resource': {
    valid: { resourceType: 'Organization', id: 'o', status: 'active', name: 'Clinic' },
    wrong: [...FHIR_WRONG, ...text('status')],
    found: { filter: { resourceType: 'Organization' }, index: 'type', not: { resourceType: 'Claim' } },
  },
  'inbox/type/message': {
    valid: { subject: 'Hi', message: 'Hello', link: { url: 'https://x.example', text: 'x' }, replyId: 'a' },
    wrong: [
      ...needs('subject', 'message'),
      ...text('subject', 'message', 'replyId'),
      [{ link: {} }, '/link'],
      [{ link: { url: 5 } }, '/link/url'],
    ],
  },
  'inbox/type/dataSend': {
    valid: { data: [{ schema: 'note' }], replyId: 'a' },
    wrong: [
      ...needs('data'),
      [{ data: [] }, '/data'],
      [{ data: ['x'] }, '/data/0'],
      [{ data: Array.from({ length: 1001 }, () => ({})) }, '/data'],
      ...text('replyId'),
    ],
  },
  'inbox/type/dataRequest': {
    valid: {
      requestSchema: 'note',
      filter: {},
      userSelect: true,
      userSelectLimit: 1,
      purpose: 'x',
      fallbackAction: { label: 'x', url: 'https://x.example' },
    },
    wrong: [
      ...needs('requestSchema'),
      ...text('requestSchema', 'purpose'),
      ...objects('filter'),
      [{ userSelect: 'x' }, '/userSelect'],
      [{ userSelectLimit: 0 }, '/userSelectLimit'],
      [{ userSelectLimit: 1001 }, '/userSelectLimit'],
      [{ fallbackAction: { label: 'x' } }, '/fallbackAction'],
    ],
  },
  'inbox/type/syncRequest': {
    valid: { request: 'AAAA', purpose: 'x' },
    wrong: [...needs('request', 'purpose'), ...text('request', 'purpose')],
  },
  'inbox/type/syncGrant': {
    valid: { replyId: 'a', grants: [{}], node: {}, space: 'x', keys: 'x', receipt: 'x' },
    wrong: [
      ...needs('replyId', 'grants', 'node', 'space', 'keys', 'receipt'),
      ...text('replyId', 'space', 'keys', 'receipt'),
      ...objects('node'),
      [{ grants: Array.from({ length: 17 }, () => ({})) }, '/grants'],
    ],
  },
  'inbox/type/syncAccept': {
    valid: { replyId: 'a', grants: ['g'], acceptance: 'x' },
    wrong: [...needs('replyId', 'grants', 'acceptance'), ...text('replyId', 'acceptance'), [{ grants: [] }, '/grants']],
  },
  'inbox/type/syncDrop': {
    valid: { grants: ['g'], attestation: 'x' },
    wrong: [...needs('grants'), ...text('attestation')],
  },
  'inbox/type/syncWiped': { valid: { grants: ['g'], attestation: 'x' }, wrong: needs('grants', 'attestation') },
  'inbox/type/syncTerms': {
    valid: { grantId: 'g', receipt: 'AAAA' },
    wrong: [...needs('grantId', 'receipt'), ...text('grantId', 'receipt')],
  },
  'inbox/type/datastoreSync': {
    valid: { schema: 'note', filter: {}, direction: 'both', request: 'AAAA', purpose: 'x' },
    wrong: [...needs('schema', 'direction'), ...text('schema', 'request'), [{ direction: 'out' }, '/direction']],
  },
  'inbox/type/status': {
    valid: { replyId: 'a', status: 'declined', failed: [0] },
    wrong: [
      ...needs('replyId', 'status'),
      [{ status: 'expired' }, '/status'],
      [{ failed: [-1] }, '/failed/0'],
      [{ failed: 1 }, '/failed'],
      ...text('replyId'),
    ],
  },
};

const ABSTRACT = new Set(['base', 'record']);
const issuesOf = (alias: string, record: unknown) =>
  bundledValidators.get(bundledAliases.get(alias) ?? '')?.(record) ?? [{ path: '', message: 'no validator' }];

/** The record with a change; fields that become undefined are taken away. */
const changed = (record: JsonRecord, change: JsonRecord): JsonRecord =>
  Object.fromEntries(Object.entries({ ...record, ...change }).filter(([, value]) => value !== undefined));

it('every bundled schema has its cases', () => {
  expect(Object.keys(CASES).sort()).toEqual([...bundledAliases.keys()].filter((a) => !ABSTRACT.has(a)).sort());
});

describe.each(Object.entries(CASES))('%s', (alias, { valid, wrong }) => {
  it('takes a record that is right', () => {
    expect(issuesOf(alias, valid)).toEqual([]);
  });

  it('finds what is wrong, and where', () => {
    expect(wrong.length).toBeGreaterThan(1);
    for (const [change, path] of wrong) {
      const found = issuesOf(alias, changed(valid, change)).map((i) => i.path);
      expect(found, JSON.stringify(change).slice(0, 80)).toEqual([path]);
    }
  });
});

describe('in a datastore', () => {
  let net: TestNetwork;
  let owner: Persona;
  beforeAll(async () => {
    net = await createTestNetwork();
    owner = await net.person('owner');
  });
  afterAll(() => net.close());

  it.each(
    Object.entries(CASES).flatMap(([alias, { valid, found }]) => (found ? [[alias, valid, found] as const] : [])),
  )('%s is found by its own index', async (alias, valid, { filter, index, not }) => {
    const datastore = await owner.account.vault.openDatastore(alias);
    const { id } = await datastore.save(valid as never);
    const same = Object.keys(not).length === 0;
    if (!same) await datastore.save(changed(valid, not) as never);
    const records = await datastore.getMany(filter as never);
    expect(records.map((r) => r._id)).toEqual([id]);
    expect(await datastore.explain(filter as never)).toEqual({ index, examined: 1, matched: 1 });
  });
});
