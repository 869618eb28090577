/** Cases for other implementations: written here from fixed keys, and read back as strangers' bytes. Refresh with `vitest run -u`. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bytesToHex, hexToBytes, utf8ToBytes } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { type Did, toDid, toSpaceId, toStreamId } from '../base/ids.ts';
import type { JsonObject } from '../base/json.ts';
import { ok } from '../base/result.ts';
import { type SigningKey, signingKeyFromSeed, toVerifyKey } from '../crypto/sign.ts';
import { createDeviceCard, openDeviceCard } from './device-card.ts';
import { buildDidDocument, parseDidDocument } from './did-document.ts';
import { encodeMultikey, parseDidKey, sealingKeyOf } from './did-key.ts';
import { didKey } from './did-key-fixture.ts';
import { parseDidWeb } from './did-web.ts';
import { createWebvh, resolveWebvhLog, updateWebvh } from './did-webvh.ts';
import { openDocument, signDocument } from './document.ts';
import { signHello, verifyHello } from './http/hello.ts';
import { signRequest, verifyRequest } from './http/http-signature.ts';
import { hashOf, keyHash, signEntry } from './webvh/log-entry.ts';

const FILE = new URL('../../../../vectors/identity.json', import.meta.url);
const nowMs = Date.UTC(2026, 10, 24, 9);
const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, timer: () => () => {} };
const keyOf = (n: number) => signingKeyFromSeed(new Uint8Array(32).fill(n));
const [identity, device, recovery] = [keyOf(1), keyOf(2), keyOf(3)];
const sealingKey = new Uint8Array(32).fill(9);
const did = toDid('did:web:alice.example');
const node = { url: 'https://node.sluice.test', did: toDid('did:web:node.sluice.test') };
const inbox = {
  url: node.url,
  space: toSpaceId(new Uint8Array(32).fill(4)),
  stream: toStreamId(new Uint8Array(16).fill(5)),
};
const parts = { identityKey: identity.publicKey, sealingKey, node, inbox };
const url = 'https://node.sluice.test/v1/spaces';
const body = utf8ToBytes('sealed');
const nonce = new Uint8Array(16).fill(7);

/** Updates that only the key in force so far signed: hash and proof hold, but no key was committed to. */
function stolenLogs(created: string): JsonObject[] {
  const [first] = created.split('\n') as [string];
  const { versionId, state } = JSON.parse(first) as { readonly versionId: string; readonly state: JsonObject };
  const multikey = (key: SigningKey): string => encodeMultikey('ed25519', key.publicKey);
  const nextKeyHashes = [keyHash(multikey(identity))];
  const attempts: readonly (readonly [string, JsonObject])[] = [
    ['the key in force sets itself again', { updateKeys: [multikey(identity)], nextKeyHashes }],
    ['the key in force sets a key committed to', { updateKeys: [multikey(device)], nextKeyHashes }],
    [
      'the key in force adds itself to a key committed to',
      { updateKeys: [multikey(device), multikey(identity)], nextKeyHashes },
    ],
    ['the key in force changes no keys', { nextKeyHashes }],
    ['the key in force ends the DID', { updateKeys: [], nextKeyHashes: [], deactivated: true }],
  ];
  return attempts.map(([name, parameters]) => {
    const entry = { versionId, versionTime: '2026-11-24T09:30:00Z', parameters, state };
    const signed = signEntry({ ...entry, versionId: `2-${hashOf(entry)}` }, identity);
    return { name, log: `${created}${JSON.stringify(signed)}\n` };
  });
}

async function write(): Promise<JsonObject> {
  const card = createDeviceCard(
    { did, deviceKey: device.publicKey, issuedAt: nowMs, expiresAt: nowMs + 1000, name: 'Phone' },
    identity,
  );
  const born = await createWebvh({
    domain: 'node.sluice.test',
    document: parts,
    updateKey: identity,
    nextKeys: [device.publicKey, recovery.publicKey],
    clock,
  });
  const updated = await updateWebvh({ log: born.log, updateKey: device, nextKeys: [recovery.publicKey], clock });
  return {
    about: 'Seeds are 32 equal bytes: identity 01, device 02, recovery 03. Bytes are hex, times ms.',
    nowMs,
    didKey: [identity, device, recovery].map(({ publicKey }) => {
      const sealing = sealingKeyOf(publicKey);
      return {
        publicKey: bytesToHex(publicKey),
        sealingKey: sealing.ok ? bytesToHex(sealing.value) : '',
        did: didKey(publicKey),
      };
    }),
    didWeb: ['did:web:clinic.example', 'did:web:clinic.example%3A8443', 'did:web:clinic.example:apps:lab'].map((d) => ({
      did: d,
      url: documentUrl(d),
    })),
    didDocument: {
      did,
      identityKey: bytesToHex(identity.publicKey),
      sealingKey: bytesToHex(sealingKey),
      document: buildDidDocument({ did, ...parts }),
    },
    webvh: {
      did: born.did,
      created: born.log,
      updated: updated.ok ? updated.value.log : '',
      refused: stolenLogs(born.log),
    },
    card: {
      did,
      identityKey: bytesToHex(identity.publicKey),
      deviceKey: bytesToHex(device.publicKey),
      signed: bytesToHex(card),
    },
    document: {
      type: 'connect/1',
      signer: did,
      payload: { purpose: 'care' },
      signed: bytesToHex(signDocument('connect/1', { purpose: 'care' }, { did, key: device, card })),
    },
    hello: {
      node: node.did,
      nonce: bytesToHex(nonce),
      key: bytesToHex(device.publicKey),
      signed: bytesToHex(signHello(device, node.did, nonce, nowMs)),
    },
    request: {
      method: 'POST',
      url,
      body: bytesToHex(body),
      key: bytesToHex(device.publicKey),
      headers: signRequest({ method: 'POST', url, body, key: device, clock, random: () => nonce }),
    },
  };
}

type Vectors = {
  readonly nowMs: number;
  readonly didKey: readonly { readonly publicKey: string; readonly sealingKey: string; readonly did: string }[];
  readonly didWeb: readonly { readonly did: Did; readonly url: string }[];
  readonly didDocument: {
    readonly did: Did;
    readonly identityKey: string;
    readonly sealingKey: string;
    readonly document: unknown;
  };
  readonly webvh: {
    readonly did: Did;
    readonly created: string;
    readonly updated: string;
    readonly refused: readonly { readonly name: string; readonly log: string }[];
  };
  readonly card: {
    readonly did: Did;
    readonly identityKey: string;
    readonly deviceKey: string;
    readonly signed: string;
  };
  readonly document: {
    readonly type: string;
    readonly signer: Did;
    readonly payload: JsonObject;
    readonly signed: string;
  };
  readonly hello: { readonly node: Did; readonly nonce: string; readonly key: string; readonly signed: string };
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly body: string;
    readonly key: string;
    readonly headers: Record<string, string>;
  };
};
const read = (): Vectors => JSON.parse(readFileSync(FILE, 'utf8')) as Vectors;

describe('vectors/identity.json', () => {
  it('is what this code writes', async () => {
    await expect(`${JSON.stringify(await write(), null, 2)}\n`).toMatchFileSnapshot(FILE.pathname);
  });

  it('[ID-1] [ID-2] holds names that read as it says', () => {
    const vectors = read();
    for (const { did: text, publicKey } of vectors.didKey)
      expect(parseDidKey(text)).toEqual({ ok: true, value: hexToBytes(publicKey) });
    for (const { did: text, url: expected } of vectors.didWeb) expect(documentUrl(text)).toBe(expected);
  });

  it('[ID-4] [ID-6] holds documents and a log that resolve', async () => {
    const { didDocument, webvh } = read();
    const identityKey = hexToBytes(didDocument.identityKey);
    expect(parseDidDocument(didDocument.document, didDocument.did)).toMatchObject({ ok: true, value: { identityKey } });
    for (const [n, log] of [webvh.created, webvh.updated].entries()) {
      const resolved = await resolveWebvhLog(webvh.did, log, clock);
      expect(resolved.ok && resolved.value.versionIds.length).toBe(n + 1);
    }
  });

  it('[ID-7] holds updates by the key in force alone, and none of them resolves', async () => {
    const { did: owner, updated, refused } = read().webvh;
    const later: Clock = { ...clock, nowMs: () => nowMs + 3_600_000 };
    expect((await resolveWebvhLog(owner, updated, later)).ok).toBe(true);
    expect(refused).toHaveLength(5);
    for (const { name, log } of refused)
      expect(await resolveWebvhLog(owner, log, later), name).toEqual({ ok: false, error: { type: 'invalid-log' } });
  });

  it('[ID-18] [ID-19] [HTTP-1] [HTTP-8] holds signatures that verify', async () => {
    const { card, document, hello, request, nowMs: at } = read();
    const identityKey = toVerifyKey(hexToBytes(card.identityKey));
    expect(openDeviceCard(hexToBytes(card.signed), identityKey, { did: card.did, nowMs: at })).toMatchObject({
      ok: true,
      value: { deviceKey: hexToBytes(card.deviceKey) },
    });
    const resolve = async () => ok({ did: card.did, identityKey, sealingKey });
    expect(await openDocument(hexToBytes(document.signed), document.type, resolve, at)).toMatchObject({
      ok: true,
      value: { payload: document.payload, signer: document.signer },
    });
    expect(verifyHello(hexToBytes(hello.signed), hello.node, hexToBytes(hello.nonce), at)).toEqual({
      ok: true,
      value: hexToBytes(hello.key),
    });
    const verified = await verifyRequest({ ...request, body: hexToBytes(request.body), nowMs: at });
    expect(verified).toMatchObject({ ok: true, value: { publicKey: hexToBytes(request.key) } });
  });
});

function documentUrl(did: string): string {
  const parsed = parseDidWeb(did);
  return parsed.ok ? parsed.value.url.href : parsed.error.type;
}
