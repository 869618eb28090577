import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { base58 } from '@scure/base';
import { describe, expect, it } from 'vitest';
import { hexToBytes } from '../base/bytes.ts';
import { toVerifyKey } from '../crypto/sign.ts';
import { decodeMultikey, encodeMultikey, parseDidKey, sealingKeyOf } from './did-key.ts';
import { didKey } from './did-key-fixture.ts';

/** The first example of the did:key specification. */
const EXAMPLE = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK';
const KEY = '2e6fcce36701dc791488e0d0b1745cc1e33a4c1c9fcc41c63bd343dbbe0970e6';

describe('did:key', () => {
  it('[ID-1] is read and written as the did:key specification spells it', () => {
    const key = parseDidKey(EXAMPLE);
    expect(key).toEqual({ ok: true, value: hexToBytes(KEY) });
    expect(didKey(toVerifyKey(hexToBytes(KEY)))).toBe(EXAMPLE);
  });

  it('[ID-1] is refused for other kinds of key, other bases, other lengths and other methods', () => {
    const text = EXAMPLE.slice('did:key:'.length);
    const refused = [
      `did:key:${encodeMultikey('x25519', hexToBytes(KEY))}`,
      `did:key:${text.slice(1)}`,
      `did:key:m${text.slice(1)}`,
      `did:key:${text}1`,
      `did:key:${text.slice(0, -1)}`,
      `did:key:z${base58.encode(hexToBytes(`ed01${KEY}00`))}`,
      `did:key:z${base58.encode(hexToBytes(`ed0100${KEY}`))}`,
      `did:key:${text}#${text}`,
      `did:web:${text}`,
      'did:key:z0OIl',
      `did:key:z${'1'.repeat(100_000)}`,
      '',
    ];
    for (const did of refused)
      expect(parseDidKey(did), did.slice(0, 80)).toEqual({ ok: false, error: { type: 'malformed' } });
  });

  it('tells the kinds of Multikey apart', () => {
    const key = hexToBytes(KEY);
    for (const kind of ['ed25519', 'x25519'] as const)
      expect(decodeMultikey(kind, encodeMultikey(kind, key))).toEqual({ ok: true, value: key });
    expect(decodeMultikey('ed25519', encodeMultikey('x25519', key)).ok).toBe(false);
    for (const value of [undefined, null, 7, {}, []]) expect(decodeMultikey('ed25519', value).ok).toBe(false);
    expect(() => encodeMultikey('ed25519', key.subarray(1))).toThrow(TypeError);
  });

  it('has a sealing key that the holder of the signing key can open with', () => {
    const seed = new Uint8Array(32).fill(5);
    const sealing = sealingKeyOf(toVerifyKey(ed25519.getPublicKey(seed)));
    expect(sealing).toEqual({ ok: true, value: x25519.getPublicKey(ed25519.utils.toMontgomerySecret(seed)) });
    expect(sealingKeyOf(toVerifyKey(new Uint8Array(32).fill(0xff)))).toEqual({
      ok: false,
      error: { type: 'malformed' },
    });
  });
});
