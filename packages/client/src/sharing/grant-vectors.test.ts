/** The shared cases of requests and grants, read as owner and requester read them. */

import { readFileSync } from 'node:fs';
import { bytesToHex, type Did, err, hexToBytes, type JsonObject, ok, toDid } from '@sluice/core/base';
import { hpkeKeyPairFromSecret, toVerifyKey } from '@sluice/core/crypto';
import type { FieldFormat } from '@sluice/core/filter';
import type { GrantTerms } from '@sluice/core/grant';
import type { DidResolver } from '@sluice/core/identity';
import { describe, expect, it } from 'vitest';
import { SluiceError } from '../errors.ts';
import type { LoadedSchema } from '../schema/index.ts';
import { readSyncGrant } from './sync-grant.ts';
import { openSyncRequest } from './sync-request.ts';

type Party = { readonly did: string; readonly identityKey: string };
type Vectors = {
  readonly nowMs: number;
  readonly formats: { readonly [path: string]: FieldFormat };
  readonly owner: Party;
  readonly app: Party & { readonly signKey: string; readonly hpkeKey: string; readonly hpkeSecret: string };
  readonly request: { readonly document: string; readonly hash: string; readonly payload: JsonObject };
  readonly requestsRefused: readonly { readonly name: string; readonly document: string }[];
  readonly grant: { readonly key: string; readonly grantId: string; readonly feed: string; readonly data: JsonObject };
  readonly grantNarrowed: { readonly terms: JsonObject; readonly data: JsonObject };
  readonly grantsRefused: readonly { readonly name: string; readonly data: JsonObject }[];
};
const vectors = JSON.parse(readFileSync(new URL('../../../../vectors/grant.json', import.meta.url), 'utf8')) as Vectors;
const { owner, app, request, nowMs } = vectors;
const [terms] = request.payload.items as unknown as readonly [GrantTerms];

const resolver = {
  resolve: async (did: Did) => {
    const party = [owner, app].find((p) => p.did === did);
    if (!party) return err({ type: 'not-found' });
    const identityKey = toVerifyKey(hexToBytes(party.identityKey));
    return ok({ did, identityKey, sealingKey: new Uint8Array(32) });
  },
} as unknown as DidResolver;
const loadSchema = async (id: string): Promise<LoadedSchema> => {
  if (id !== terms.schema) throw new SluiceError('UNKNOWN_SCHEMA');
  return { id, hash: terms.schemaHash, formats: new Map(Object.entries(vectors.formats)) } as unknown as LoadedSchema;
};

describe('vectors/grant.json', () => {
  const open = (document: string) =>
    openSyncRequest(hexToBytes(document), toDid(app.did), { resolver, loadSchema, nowMs, owner: toDid(owner.did) });

  it('[GRANT-17] the owner reads the request as it was meant', async () => {
    const opened = await open(request.document);
    if (!opened.ok) throw new Error(opened.error.text);
    const { signKey, hpkeKey, hash, items, purpose } = opened.value;
    expect([signKey, hpkeKey, hash].map(bytesToHex)).toEqual([app.signKey, app.hpkeKey, request.hash]);
    expect({ items, purpose }).toEqual({ items: request.payload.items, purpose: request.payload.purpose });
  });

  it('[GRANT-1] [GRANT-2] [GRANT-3] the owner refuses every other', async () => {
    expect(vectors.requestsRefused.length).toBeGreaterThan(10);
    for (const { name, document } of vectors.requestsRefused)
      expect(await open(document), name).toMatchObject({ ok: false, error: { type: 'bad-request' } });
  });

  const receive = (data: JsonObject) =>
    readSyncGrant(data, {
      from: toDid(owner.did),
      self: toDid(app.did),
      requestHash: hexToBytes(request.hash),
      asked: [terms],
      hpke: hpkeKeyPairFromSecret(hexToBytes(app.hpkeSecret)),
      resolver,
      loadSchema,
      nowMs,
    });

  it('[GRANT-18] the requester takes the grant as it was given', async () => {
    const { grants } = await receive(vectors.grant.data);
    const { grantId, key, feed } = vectors.grant;
    expect(grants.map((g) => ({ ...g, key: bytesToHex(g.key), feed: bytesToHex(g.feed) }))).toEqual([
      { grantId, key, feed, asked: terms, terms, narrowed: false },
    ]);
  });

  it('[GRANT-4] the requester takes narrower terms as an offer', async () => {
    const { grants } = await receive(vectors.grantNarrowed.data);
    expect(grants.map((g) => [g.terms, g.narrowed])).toEqual([[vectors.grantNarrowed.terms, true]]);
  });

  it('[GRANT-6] [GRANT-12] the requester refuses every other', async () => {
    expect(vectors.grantsRefused.length).toBeGreaterThan(10);
    for (const { name, data } of vectors.grantsRefused)
      await expect(receive(data), name).rejects.toMatchObject({ code: 'BAD_MESSAGE' });
  });
});
