import { argon2id as nobleArgon2id } from '@noble/hashes/argon2.js';
import { argon2id } from 'hash-wasm';
import { describe, expect, it } from 'vitest';
import { bytesToHex, utf8ToBytes } from '../base/bytes.ts';
import type { Random } from '../base/random.ts';
import { ok } from '../base/result.ts';
import { type CborValue, decodeCbor, encodeCbor } from '../wire/cbor.ts';
import { sealAead, toAeadKey } from './aead.ts';
import { FLOOR_ARGON2, unwrapWithPassphrase, wrapWithPassphrase } from './passphrase.ts';

const CANNOT_OPEN = { ok: false, error: { type: 'cannot-open' } };
const WEAK = { memoryKiB: 64, passes: 1, lanes: 1 };
const random: Random = (length) => new Uint8Array(length).fill(length);
const secret = utf8ToBytes('account root');
const weak = (passphrase = 'open sesame') => wrapWithPassphrase(secret, passphrase, WEAK, random);
const fieldsOf = (wrapped: Uint8Array): CborValue[] => {
  const decoded = decodeCbor(wrapped, { maxBytes: 1000, maxDepth: 1 });
  return decoded.ok ? [...(decoded.value as CborValue[])] : [];
};

describe('Argon2id', () => {
  it('gives what @noble/hashes gives, and that gives the tag of RFC 9106 section 5.3', async () => {
    const fill = (length: number, byte: number) => new Uint8Array(length).fill(byte);
    const cost = { t: 3, m: 32, p: 4, dkLen: 32 };
    const published = { ...cost, key: fill(8, 3), personalization: fill(12, 4) };
    expect(bytesToHex(nobleArgon2id(fill(32, 1), fill(16, 2), published))).toBe(
      '0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659',
    );
    const wasm = await argon2id({
      password: fill(32, 1),
      salt: fill(16, 2),
      secret: fill(8, 3),
      iterations: 3,
      memorySize: 32,
      parallelism: 4,
      hashLength: 32,
      outputType: 'hex',
    });
    expect(wasm).toBe(bytesToHex(nobleArgon2id(fill(32, 1), fill(16, 2), { ...cost, key: fill(8, 3) })));
  });
});

describe('wrapWithPassphrase and unwrapWithPassphrase', () => {
  it('[CRY-10] the box is the parameters, the salt and the secret sealed under Argon2id with them as context', async () => {
    const salt = random(16);
    const key = toAeadKey(nobleArgon2id(utf8ToBytes('open sesame'), salt, { t: 1, m: 64, p: 1, dkLen: 32 }));
    const aad = encodeCbor(['sluice/passphrase', 1, 64, 1, 1, salt]);
    const expected = encodeCbor([1, 64, 1, 1, salt, sealAead(key, aad, secret, random)]);
    expect(bytesToHex(await weak())).toBe(bytesToHex(expected));
    expect(await unwrapWithPassphrase(expected, 'open sesame', { allowWeak: true })).toEqual(ok(secret));
  });

  it('[CRY-10] a passphrase counts in its composed form, letter by letter', async () => {
    const wrapped = await weak('cafe\u0301');
    expect(await unwrapWithPassphrase(wrapped, 'caf\u00e9', { allowWeak: true })).toEqual(ok(secret));
    for (const wrong of ['cafe', 'Caf\u00e9', 'caf\u00e9 ', '']) {
      expect(await unwrapWithPassphrase(wrapped, wrong, { allowWeak: true })).toEqual(CANNOT_OPEN);
    }
  });

  it('[CRY-11] a box below the floor opens in tests alone', async () => {
    const wrapped = await weak();
    expect(await unwrapWithPassphrase(wrapped, 'open sesame')).toEqual(CANNOT_OPEN);
    expect(await unwrapWithPassphrase(wrapped, 'open sesame', { allowWeak: false })).toEqual(CANNOT_OPEN);
    const onePass = await wrapWithPassphrase(secret, 'p', { ...FLOOR_ARGON2, passes: 1 }, random);
    expect(await unwrapWithPassphrase(onePass, 'p')).toEqual(CANNOT_OPEN);
    const lessMemory = await wrapWithPassphrase(secret, 'p', { ...FLOOR_ARGON2, memoryKiB: 19 * 1024 - 1 }, random);
    expect(await unwrapWithPassphrase(lessMemory, 'p')).toEqual(CANNOT_OPEN);
    const floor = await wrapWithPassphrase(secret, 'p', FLOOR_ARGON2, random);
    expect(await unwrapWithPassphrase(floor, 'p')).toEqual(ok(secret));
  });

  it('[CRY-11] costs 64 MiB and 3 passes unless told otherwise', async () => {
    const wrapped = await wrapWithPassphrase(secret, 'p', undefined, random);
    expect(fieldsOf(wrapped).slice(0, 4)).toEqual([1, 65_536, 3, 1]);
    expect(await unwrapWithPassphrase(wrapped, 'p')).toEqual(ok(secret));
  });

  it('[CRY-10] a changed field does not open, and none of the failures says why', async () => {
    const fields = fieldsOf(await weak());
    const changes: readonly (readonly [number, CborValue])[] = [
      [0, 2],
      [1, 65],
      [1, 4],
      [1, 0],
      [1, 2 ** 40],
      [2, 2],
      [2, 1000],
      [3, 2],
      [3, 0.5],
      [3, 200],
      [4, new Uint8Array(16)],
      [4, new Uint8Array(8)],
      [5, new Uint8Array(60)],
      [5, 'text'],
    ];
    for (const [index, value] of changes) {
      const changed = encodeCbor(fields.with(index, value));
      expect(await unwrapWithPassphrase(changed, 'open sesame', { allowWeak: true }), String(index)).toEqual(
        CANNOT_OPEN,
      );
    }
    for (const bytes of [new Uint8Array(0), encodeCbor([]), encodeCbor([...fields, 1]), encodeCbor({})]) {
      expect(await unwrapWithPassphrase(bytes, 'open sesame', { allowWeak: true })).toEqual(CANNOT_OPEN);
    }
  });

  it('takes no empty passphrase and no cost that would not be opened', async () => {
    await expect(wrapWithPassphrase(secret, '', WEAK, random)).rejects.toThrow(TypeError);
    const heavy = { ...WEAK, memoryKiB: 2 ** 21 };
    await expect(wrapWithPassphrase(secret, 'p', heavy, random)).rejects.toThrow(RangeError);
  });
});
