import { describe, expect, it } from 'vitest';
import { toDid, toSpaceId, toStreamId } from '../base/ids.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { signingKeyFromSeed } from '../crypto/sign.ts';
import { buildDidDocument, type DidDocumentParts, parseDidDocument } from './did-document.ts';
import { encodeMultikey } from './did-key.ts';

const did = toDid('did:web:clinic.example');
const keyOf = (n: number) => signingKeyFromSeed(new Uint8Array(32).fill(n)).publicKey;
const parts: DidDocumentParts = {
  identityKey: keyOf(1),
  sealingKey: new Uint8Array(32).fill(2),
  node: { url: 'https://node.sluice.test', did: toDid('did:web:node.sluice.test') },
  inbox: {
    url: 'https://node.sluice.test',
    space: toSpaceId(new Uint8Array(32).fill(3)),
    stream: toStreamId(new Uint8Array(16).fill(4)),
  },
};
const full = buildDidDocument({ did, ...parts, alsoKnownAs: ['https://clinic.example'] });
const malformed = { ok: false, error: { type: 'malformed' } };

const methods = full.verificationMethod as readonly JsonObject[];
const services = full.service as readonly JsonObject[];
const withMethods = (change: (list: readonly JsonObject[]) => readonly JsonValue[]): JsonObject => ({
  ...full,
  verificationMethod: change(methods),
});
const withServices = (change: (list: readonly JsonObject[]) => JsonValue): JsonObject => ({
  ...full,
  service: change(services),
});

describe('a DID document', () => {
  it('[ID-5] reads back what was built, with and without services', () => {
    expect(parseDidDocument(JSON.parse(JSON.stringify(full)), did)).toEqual({ ok: true, value: { did, ...parts } });
    const { identityKey, sealingKey } = parts;
    const bare = buildDidDocument({ did, identityKey, sealingKey });
    expect(parseDidDocument(bare, did)).toEqual({ ok: true, value: { did, identityKey, sealingKey } });
  });

  it('[ID-3] is refused under any other DID', () => {
    for (const other of ['did:web:evil.example', 'did:web:clinic.example:a', 'did:web:clinic.exampl']) {
      expect(parseDidDocument(full, toDid(other))).toEqual({ ok: false, error: { type: 'mismatch' } });
    }
    expect(parseDidDocument({ ...full, id: [did] }, did)).toEqual({ ok: false, error: { type: 'mismatch' } });
  });

  it('[ID-4] is refused without exactly one key for each purpose', () => {
    const second = {
      id: `${did}#second`,
      type: 'Multikey',
      controller: did,
      publicKeyMultibase: encodeMultikey('ed25519', keyOf(7)),
    };
    const refused: readonly (readonly [string, JsonObject])[] = [
      ['no methods', withMethods(() => [])],
      ['methods not a list', { ...full, verificationMethod: {} }],
      ['a method that is no object', withMethods((list) => [...list, 'x'])],
      ['another controller', withMethods((list) => list.map((m) => ({ ...m, controller: 'did:web:evil.example' })))],
      ['another type', withMethods((list) => list.map((m) => ({ ...m, type: 'JsonWebKey' })))],
      ['one name twice', withMethods((list) => [...list, { ...second, id: `${did}#identity` }])],
      ['one name twice, once relative', withMethods((list) => [...list, { ...second, id: '#identity' }])],
      [
        'two identity keys',
        { ...withMethods((list) => [...list, second]), assertionMethod: [`${did}#identity`, `${did}#second`] },
      ],
      [
        'authentication by another key',
        { ...withMethods((list) => [...list, second]), authentication: [`${did}#second`] },
      ],
      ['no authentication', { ...full, authentication: [] }],
      ['no assertion', { ...full, assertionMethod: undefined as unknown as JsonValue }],
      ['an embedded method', { ...full, assertionMethod: [methods[0] as JsonObject] }],
      ['sealing by the signing key', { ...full, keyAgreement: [`${did}#identity`] }],
      ['no sealing key', { ...full, keyAgreement: [] }],
      [
        'too many methods',
        withMethods((list) => [...list, ...Array.from({ length: 40 }, (_, i) => ({ ...second, id: `${did}#${i}` }))]),
      ],
    ];
    for (const [name, document] of refused) expect(parseDidDocument(document, did), name).toEqual(malformed);
  });

  it('[ID-4] may hold other keys and name its own by fragment', () => {
    const extra = { id: `${did}#old`, type: 'JsonWebKey', controller: did, publicKeyJwk: {} };
    const document = { ...withMethods((list) => [...list, extra]), authentication: ['#identity', `${did}#old`] };
    expect(parseDidDocument(document, did)).toMatchObject({ ok: true, value: { identityKey: parts.identityKey } });
  });

  it('[ID-5] is refused with a doubled or malformed service, and may hold foreign ones', () => {
    const [node = {}, inbox = {}] = services;
    const endpoint = (service: JsonObject, change: JsonObject): JsonObject => ({
      ...service,
      serviceEndpoint: { ...(service.serviceEndpoint as JsonObject), ...change },
    });
    const refused: readonly JsonValue[] = [
      'x',
      [node, node],
      [inbox, node, inbox],
      [{ ...node, serviceEndpoint: 'https://node.sluice.test' }],
      [endpoint(node, { did: 'node' })],
      [endpoint(inbox, { space: 'AAAA' })],
      [endpoint(inbox, { stream: '****' })],
      [endpoint(inbox, { space: 7 })],
      ...[
        'http://node.sluice.test',
        'https://u:p@node.sluice.test',
        'https://node.sluice.test/?q',
        'HTTPS://node.sluice.test',
        'javascript:1',
        '',
        `https://n.test/${'a'.repeat(600)}`,
      ].map((url) => [endpoint(node, { url })]),
      Array.from({ length: 40 }, () => ({ type: 'Other' })),
    ];
    for (const service of refused)
      expect(
        parseDidDocument(
          withServices(() => service),
          did,
        ),
        JSON.stringify(service).slice(0, 120),
      ).toEqual(malformed);
    const foreign = withServices((list) => [
      ...list,
      { id: '#x', type: 'LinkedDomains', serviceEndpoint: 'https://x.example' },
      'y',
    ]);
    expect(parseDidDocument(foreign, did).ok).toBe(true);
  });

  it('[ID-5] is not built with a URL its reader would refuse', () => {
    const node = { url: 'http://node.sluice.test', did: toDid('did:web:node.sluice.test') };
    expect(() => buildDidDocument({ did, ...parts, node })).toThrow(TypeError);
  });
});
