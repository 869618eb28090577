import { describe, expect, it } from 'vitest';
import type { Clock } from '../base/clock.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { type Did, toDid } from '../base/ids.ts';
import { type SigningKey, signingKeyFromSeed } from '../crypto/sign.ts';
import { type DidDocumentParts, parseDidDocument } from './did-document.ts';
import {
  createWebvh,
  deactivateWebvh,
  extendsWebvhLog,
  resolveWebvhLog,
  updateWebvh,
  webvhLogPath,
  webvhLogUrl,
} from './did-webvh.ts';
import { encodeMultikey } from './did-key.ts';
import { hashOf, keyHash, signEntry } from './webvh/log-entry.ts';
import { verifyWebvhLog } from './webvh/verify-log.ts';

const T0 = Date.UTC(2026, 10, 24, 9, 0, 0);
const clockAt = (ms: number): Clock => ({ nowMs: () => ms, monotonicMs: () => ms, timer: () => () => {} });
const clock = clockAt(T0);
const later = clockAt(T0 + 3_600_000);
const keyOf = (n: number): SigningKey => signingKeyFromSeed(new Uint8Array(32).fill(n));
const [first, device, recovery, next, thief] = [keyOf(1), keyOf(2), keyOf(3), keyOf(4), keyOf(66)];
const document: DidDocumentParts = {
  identityKey: keyOf(10).publicKey,
  sealingKey: new Uint8Array(32).fill(9),
  node: { url: 'https://node.sluice.test', did: toDid('did:web:node.sluice.test') },
};

const born = () =>
  createWebvh({
    domain: 'node.sluice.test',
    document,
    updateKey: first,
    nextKeys: [device.publicKey, recovery.publicKey],
    clock,
  });

/** The log after one change signed by `updateKey`. */
async function changed(log: string, updateKey: SigningKey, more: object = {}) {
  const result = await updateWebvh({
    log,
    updateKey,
    nextKeys: [next.publicKey, recovery.publicKey],
    clock: later,
    ...more,
  });
  if (!result.ok) throw new Error(result.error.type);
  return result.value;
}

/** Appends an entry by hand, following the chain but none of the rules. */
function forge(
  log: string,
  parameters: JsonObject,
  signer: SigningKey,
  alter: (entry: JsonObject) => JsonObject = (e) => e,
): string {
  const lines = log.trimEnd().split('\n');
  const last = JSON.parse(lines.at(-1) ?? '') as { versionId: string; state: JsonObject };
  const entry = alter({
    versionId: last.versionId,
    versionTime: '2026-11-24T12:00:00Z',
    parameters,
    state: last.state,
  });
  return `${log}${JSON.stringify(signEntry({ ...entry, versionId: `${lines.length + 1}-${hashOf(entry)}` }, signer))}\n`;
}

const verdict = (log: string, nowMs = T0 + 86_400_000): string => {
  const result = verifyWebvhLog(log, nowMs);
  return result.ok ? 'ok' : result.error.type;
};
const multikey = (key: SigningKey): string => encodeMultikey('ed25519', key.publicKey);

describe('a did:webvh log', () => {
  it('[ID-6] resolves to the document its owner wrote', async () => {
    const { did, log } = await born();
    const resolved = await resolveWebvhLog(did, log, clock);
    expect(resolved.ok && resolved.value.versionId).toMatch(/^1-Qm/);
    const identity = resolved.ok && parseDidDocument(resolved.value.document, did);
    expect(identity).toEqual({ ok: true, value: { did, ...document } });
  });

  it('[ID-6] is refused when any one character of it changes', async () => {
    const { did, log } = await born();
    const { log: two } = await changed(log, device);
    const survived: number[] = [];
    for (let at = 0; at < two.length; at += 3) {
      const swapped = two[at] === 'x' ? 'y' : 'x';
      const resolved = await resolveWebvhLog(did, two.slice(0, at) + swapped + two.slice(at + 1), later);
      if (resolved.ok) survived.push(at);
    }
    expect(survived).toEqual([]);
  });

  it('[ID-6] is refused when the version id of its only entry is another one', async () => {
    const { log } = await born();
    const entry = JSON.parse(log) as JsonObject;
    expect(verdict(`${JSON.stringify({ ...entry, versionId: `1-${keyHash('x')}` })}\n`)).toBe('invalid-log');
    const { proof: _, ...unsigned } = entry;
    expect(verdict(`${JSON.stringify(signEntry({ ...unsigned, versionId: `1-${keyHash('x')}` }, first))}\n`)).toBe(
      'invalid-log',
    );
  });

  it('[ID-6] is refused when an entry has no proof, a second proof or one by a stranger', async () => {
    const { log } = await born();
    const entry = JSON.parse(log) as JsonObject & { proof: JsonValue[] };
    const line = (proof: JsonValue): string => `${JSON.stringify({ ...entry, proof })}\n`;
    expect(verdict(line(entry.proof))).toBe('ok');
    expect(verdict(line([]))).toBe('invalid-log');
    expect(verdict(line([...entry.proof, ...entry.proof]))).toBe('invalid-log');
    const { proof: _, ...unsigned } = entry;
    expect(verdict(`${JSON.stringify(signEntry(unsigned, thief))}\n`)).toBe('invalid-log');
  });

  it('[ID-7] goes on when the next device key or the recovery key signs', async () => {
    const { did, log } = await born();
    for (const key of [device, recovery]) {
      const { log: two } = await changed(log, key);
      const resolved = await resolveWebvhLog(did, two, later);
      expect(resolved.ok && resolved.value.versionIds.length).toBe(2);
      expect(resolved.ok && resolved.value.updateKeys).toEqual([multikey(key)]);
    }
  });

  it('[ID-7] refuses an update signed by the stolen current key', async () => {
    const { log } = await born();
    const stolen = await updateWebvh({ log, updateKey: first, nextKeys: [thief.publicKey], clock: later });
    expect(stolen).toEqual({ ok: false, error: { type: 'invalid-log' } });
    const nextKeyHashes = [keyHash(multikey(thief))];
    const attempts: JsonObject[] = [
      { updateKeys: [multikey(first)], nextKeyHashes },
      { updateKeys: [multikey(thief)], nextKeyHashes },
      { updateKeys: [multikey(device)], nextKeyHashes },
      { updateKeys: [multikey(device), multikey(first)], nextKeyHashes },
      { updateKeys: [], nextKeyHashes },
      { nextKeyHashes },
      { updateKeys: [], deactivated: true, nextKeyHashes: [] },
      {},
    ];
    for (const parameters of attempts)
      expect(verdict(forge(log, parameters, first)), JSON.stringify(parameters)).toBe('invalid-log');
  });

  it('[ID-7] refuses an entry of the right key that commits to no following one', async () => {
    const { log } = await born();
    expect(verdict(forge(log, { updateKeys: [multikey(device)] }, device))).toBe('invalid-log');
    expect(
      verdict(forge(log, { updateKeys: [multikey(device)], nextKeyHashes: [keyHash(multikey(next))] }, device)),
    ).toBe('ok');
  });

  it('[ID-8] refuses time that stands still or lies ahead', async () => {
    const { log } = await born();
    expect(verdict(log, T0 - 300_000)).toBe('ok');
    expect(verdict(log, T0 - 300_001)).toBe('invalid-log');
    const parameters = { updateKeys: [multikey(device)], nextKeyHashes: [keyHash(multikey(next))] };
    const at = (versionTime: string): string => forge(log, parameters, device, (entry) => ({ ...entry, versionTime }));
    expect(verdict(at('2026-11-24T09:00:00Z'))).toBe('invalid-log');
    expect(verdict(at('2026-11-24T09:00:01Z'))).toBe('ok');
    expect(verdict(at('2026-13-24T09:00:01Z'))).toBe('invalid-log');
    expect(verdict(at('2026-11-24T10:00:01+01:00'))).toBe('invalid-log');
  });

  it('[ID-9] keeps its SCID when it moves, and resolves only under the new name', async () => {
    const { did, log } = await born();
    const moved = await changed(log, device, { domain: 'other.example:8443' });
    const scid = did.split(':')[2];
    expect(moved.did).toBe(`did:webvh:${scid}:other.example%3A8443:did:${scid}`);
    const resolved = await resolveWebvhLog(moved.did, moved.log, later);
    expect(resolved.ok && resolved.value.document.alsoKnownAs).toEqual([did]);
    expect(resolved.ok && parseDidDocument(resolved.value.document, moved.did).ok).toBe(true);
    expect(await resolveWebvhLog(did, moved.log, later)).toEqual({
      ok: false,
      error: { type: 'moved', to: moved.did },
    });
  });

  it('[ID-9] refuses a move that hides the old name, and any move of a DID that is not portable', async () => {
    const { did, log } = await born();
    const parameters = { updateKeys: [multikey(device)], nextKeyHashes: [keyHash(multikey(next))] };
    const to = did.replace('node.sluice.test', 'evil.example');
    const move =
      (alsoKnownAs: readonly string[]) =>
      (entry: JsonObject): JsonObject => ({
        ...entry,
        state: { ...(entry.state as JsonObject), id: to, alsoKnownAs },
      });
    expect(verdict(forge(log, parameters, device, move([did])))).toBe('ok');
    expect(verdict(forge(log, parameters, device, move([])))).toBe('invalid-log');
    const fixed = forge(log, { ...parameters, portable: false }, device);
    const after = { updateKeys: [multikey(next)], nextKeyHashes: [] };
    const time = (entry: JsonObject): JsonObject => ({ ...entry, versionTime: '2026-11-24T13:00:00Z' });
    expect(verdict(forge(fixed, after, next, time))).toBe('ok');
    expect(verdict(forge(fixed, after, next, (entry) => move([did])(time(entry))))).toBe('invalid-log');
  });

  it('[ID-3] is not taken as the log of another DID', async () => {
    const { log } = await born();
    const other = await createWebvh({
      domain: 'node.sluice.test',
      document,
      updateKey: next,
      nextKeys: [device.publicKey],
      clock,
    });
    expect(await resolveWebvhLog(other.did, log, clock)).toEqual({ ok: false, error: { type: 'mismatch' } });
  });

  it('[ID-11] lies at the path of its SCID and is extended only byte for byte', async () => {
    const { did, log } = await born();
    const { log: two } = await changed(log, device);
    expect(webvhLogPath(did)).toBe(`/did/${did.split(':')[2]}/did.jsonl`);
    expect(webvhLogUrl(did).href).toBe(`https://node.sluice.test/did/${did.split(':')[2]}/did.jsonl`);
    expect(extendsWebvhLog(log, two)).toBe(true);
    expect(extendsWebvhLog(two, two)).toBe(true);
    expect(extendsWebvhLog(two, log)).toBe(false);
    expect(extendsWebvhLog(log.trimEnd(), two)).toBe(false);
    expect(extendsWebvhLog(log, ` ${two}`)).toBe(false);
    const { log: fork } = await changed(log, recovery);
    expect(extendsWebvhLog(two, fork)).toBe(false);
  });

  it('[ID-12] is refused when it asks for witnesses or sets a parameter nobody knows', async () => {
    const { log } = await born();
    const good: JsonObject = { updateKeys: [multikey(device)], nextKeyHashes: [keyHash(multikey(next))] };
    const witness = { threshold: 1, witnesses: [{ id: `did:key:${multikey(thief)}` }] };
    expect(verdict(forge(log, { ...good, witness: {} }, device))).toBe('ok');
    for (const extra of [
      { witness },
      { colour: 'red' },
      { method: 'did:webvh:0.5' },
      { method: 'did:webvh:2.0' },
      { portable: true },
    ]) {
      expect(verdict(forge(log, { ...good, ...extra } as JsonObject, device)), JSON.stringify(extra)).toBe(
        'invalid-log',
      );
    }
  });

  it('[ID-13] ends for good when deactivated, pre-rotation or not', async () => {
    const { did, log } = await born();
    const ended = await deactivateWebvh({ log, updateKey: device, clock: later });
    const text = ended.ok ? ended.value.log : '';
    expect(verifyWebvhLog(text, later.nowMs())).toMatchObject({ ok: true, value: { deactivated: true } });
    expect(await resolveWebvhLog(did, text, later)).toEqual({ ok: false, error: { type: 'deactivated' } });
    const revived = await updateWebvh({
      log: text,
      updateKey: device,
      nextKeys: [next.publicKey],
      clock: clockAt(T0 + 7_200_000),
    });
    expect(revived).toEqual({ ok: false, error: { type: 'deactivated' } });
    expect(verdict(forge(text, { updateKeys: [multikey(device)] }, device))).toBe('invalid-log');
    expect(await deactivateWebvh({ log, updateKey: first, clock: later })).toEqual({
      ok: false,
      error: { type: 'invalid-log' },
    });
  });

  it('is refused when it is empty, unended, blank in the middle or over the limit', async () => {
    const { log } = await born();
    for (const text of ['', '\n', log.trimEnd(), `${log}\n`, `\n${log}`, `${log}{}\n`]) {
      expect(verdict(text), JSON.stringify(text.slice(-20))).toBe('invalid-log');
    }
    expect(verdict('x'.repeat(256 * 1024 + 1))).toBe('too-large');
  });

  it('is never created without a following key or under a name that is no domain', async () => {
    const base = { document, updateKey: first, nextKeys: [device.publicKey], clock };
    await expect(createWebvh({ ...base, domain: 'node.example', nextKeys: [] })).rejects.toThrow(TypeError);
    for (const domain of ['localhost', '127.0.0.1', 'Node.example', 'a.example/x', 'a.example:0', '[::1]']) {
      await expect(createWebvh({ ...base, domain }), domain).rejects.toThrow(TypeError);
    }
  });
});

describe('webvh log paths', () => {
  it('follow the DID, and are only for did:webvh', () => {
    expect(webvhLogPath('did:webvh:Qm1:a.example')).toBe('/.well-known/did.jsonl');
    expect(webvhLogPath('did:webvh:Qm1:a.example:x:y')).toBe('/x/y/did.jsonl');
    for (const did of [
      'did:web:a.example',
      'did:webvh:Qm1',
      'did:webvh:Qm1:a.example:..:etc',
      'did:webvh::a.example',
      'nonsense',
    ]) {
      expect(() => webvhLogPath(did as Did), did).toThrow(TypeError);
    }
  });
});
