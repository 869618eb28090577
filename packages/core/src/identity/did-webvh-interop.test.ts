/** The same logs, read and written by an independent implementation of did:webvh 1.0. */

import { base58 } from '@scure/base';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { toDid } from '../base/ids.ts';
import { type SigningKey, signingKeyFromSeed, signRaw, toVerifyKey, verifyRaw } from '../crypto/sign.ts';
import { encodeMultikey } from './did-key.ts';
import { createWebvh, deactivateWebvh, resolveWebvhLog, updateWebvh } from './did-webvh.ts';
import { keyHash } from './webvh/log-entry.ts';

type Oracle = typeof import('didwebvh-ts');
type Log = Parameters<Oracle['resolveDIDFromLog']>[0];

const T0 = Date.UTC(2026, 10, 20, 9, 0, 0);
const clockAt = (ms: number): Clock => ({ nowMs: () => ms, monotonicMs: () => ms, timer: () => () => {} });
const keyOf = (n: number): SigningKey => signingKeyFromSeed(new Uint8Array(32).fill(n));
const [first, device, next] = [keyOf(1), keyOf(2), keyOf(3)];
const multikey = (key: SigningKey): string => encodeMultikey('ed25519', key.publicKey);
const document = { identityKey: keyOf(10).publicKey, sealingKey: new Uint8Array(32).fill(9) };
const parse = (log: string): Log =>
  log
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

let oracle: Oracle;
beforeAll(async () => {
  // Under NODE_ENV=test this library writes every log it sees to the working directory.
  vi.stubEnv('NODE_ENV', 'production');
  oracle = await import('didwebvh-ts');
  vi.unstubAllEnvs();
});

const verifier = {
  verify: async (signature: Uint8Array, message: Uint8Array, key: Uint8Array) =>
    verifyRaw(toVerifyKey(key), signature, message),
};
const signerOf = (key: SigningKey) => ({
  getVerificationMethodId: () => `did:key:${multikey(key)}#${multikey(key)}`,
  sign: async ({ document: entry, proof }: { document: unknown; proof: unknown }) => ({
    proofValue: `z${base58.encode(signRaw(key, await oracle.prepareDataForSigning(entry, proof as never)))}`,
  }),
});

describe('did:webvh interop', () => {
  it('[ID-6] a log written here, through update, move and deactivation, resolves elsewhere', async () => {
    const { did, log } = await createWebvh({
      domain: 'node.example',
      document: { ...document, node: { url: 'https://node.example', did: toDid('did:web:node.example') } },
      updateKey: first,
      nextKeys: [device.publicKey],
      clock: clockAt(T0),
    });
    const created = await oracle.resolveDIDFromLog(parse(log), { verifier, witnessProofs: [] });
    expect(created).toMatchObject({ did, meta: { portable: true, prerotation: true } });
    const moved = await updateWebvh({
      log,
      updateKey: device,
      nextKeys: [next.publicKey],
      clock: clockAt(T0 + 9000),
      domain: 'b.example',
    });
    if (!moved.ok) throw new Error(moved.error.type);
    const resolved = await oracle.resolveDIDFromLog(parse(moved.value.log), { verifier, witnessProofs: [] });
    expect(resolved.did).toBe(moved.value.did);
    const ended = await deactivateWebvh({ log: moved.value.log, updateKey: next, clock: clockAt(T0 + 20_000) });
    const last = await oracle.resolveDIDFromLog(parse(ended.ok ? ended.value.log : ''), {
      verifier,
      witnessProofs: [],
    });
    expect(last.meta.deactivated).toBe(true);
  });

  it('[ID-6] a log written elsewhere resolves here', async () => {
    const created = await oracle.createDID({
      domain: 'node.example',
      paths: ['did', '{SCID}'],
      signer: signerOf(first),
      verifier,
      updateKeys: [multikey(first)],
      nextKeyHashes: [keyHash(multikey(device))],
      portable: true,
      created: '2026-11-20T09:00:00Z',
      verificationMethods: [{ type: 'Multikey', publicKeyMultibase: multikey(keyOf(10)), purpose: 'authentication' }],
    });
    const updated = await oracle.updateDID({
      log: created.log,
      signer: signerOf(device),
      verifier,
      updateKeys: [multikey(device)],
      nextKeyHashes: [keyHash(multikey(next))],
      alsoKnownAs: ['https://a.example/me'],
    });
    const text = (updated.log as Log).map((entry: unknown) => `${JSON.stringify(entry)}\n`).join('');
    const resolved = await resolveWebvhLog(toDid(created.did), text, clockAt(Date.now()));
    expect(resolved).toMatchObject({
      ok: true,
      value: { versionId: updated.meta.versionId, document: { alsoKnownAs: ['https://a.example/me'] } },
    });
    expect(await oracle.deriveNextKeyHash(multikey(device))).toBe(keyHash(multikey(device)));
  });
});
