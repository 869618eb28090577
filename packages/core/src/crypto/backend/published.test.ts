/** Published vectors on each back end, typed in from the standards. */

import { describe, expect, it } from 'vitest';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '../../base/bytes.ts';
import { backends } from './both.oracle.ts';
import { hkdfExpand, hkdfExtract } from './hkdf.ts';

const ADVICE =
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";

describe.each(backends)('on $name', ({ p }) => {
  it('SHA-256 of "abc" in one and in several parts (FIPS 180-2, B.1)', () => {
    const expected = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(bytesToHex(p.sha256([utf8ToBytes('abc')]))).toBe(expected);
    expect(bytesToHex(p.sha256(['a', '', 'bc'].map(utf8ToBytes)))).toBe(expected);
  });

  it('HMAC-SHA256 (RFC 4231, cases 1 and 6)', () => {
    expect(bytesToHex(p.hmacSha256(new Uint8Array(20).fill(0x0b), [utf8ToBytes('Hi There')]))).toBe(
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    );
    const data = utf8ToBytes('Test Using Larger Than Block-Size Key - Hash Key First');
    expect(bytesToHex(p.hmacSha256(new Uint8Array(131).fill(0xaa), [data]))).toBe(
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    );
  });

  it.each([
    {
      name: 'A.1',
      ikm: '0b'.repeat(22),
      salt: '000102030405060708090a0b0c',
      info: 'f0f1f2f3f4f5f6f7f8f9',
      prk: '077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5',
      okm: '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    },
    {
      name: 'A.3',
      ikm: '0b'.repeat(22),
      salt: '',
      info: '',
      prk: '19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04',
      okm: '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    },
  ])('HKDF-SHA256 (RFC 5869, $name)', ({ ikm, salt, info, prk, okm }) => {
    const extracted = hkdfExtract(p, hexToBytes(salt), hexToBytes(ikm));
    expect(bytesToHex(extracted)).toBe(prk);
    expect(bytesToHex(hkdfExpand(p, extracted, hexToBytes(info), 42))).toBe(okm);
  });

  it('XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, A.3.1)', () => {
    const key = hexToBytes('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f');
    const nonce = hexToBytes('404142434445464748494a4b4c4d4e4f5051525354555657');
    const aad = hexToBytes('50515253c0c1c2c3c4c5c6c7');
    const sealed = p.sealXChaCha(key, nonce, aad, utf8ToBytes(ADVICE));
    expect(bytesToHex(sealed)).toBe(
      bytesToHex(nonce) +
        'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39' +
        'ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9' +
        '21f9664c97637da9768812f615c68b13b52e' +
        'c0875924c1c7987947deafd8780acf49',
    );
    expect(p.openXChaCha(key, aad, sealed)).toEqual(utf8ToBytes(ADVICE));
  });

  it('AES-256-GCM (the GCM specification, case 14)', () => {
    const [key, nonce, plaintext] = [new Uint8Array(32), new Uint8Array(12), new Uint8Array(16)];
    const sealed = p.sealAesGcm(key, nonce, new Uint8Array(0), plaintext);
    expect(bytesToHex(sealed)).toBe('cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919');
    expect(p.openAesGcm(key, nonce, new Uint8Array(0), sealed)).toEqual(plaintext);
    expect(p.openAesGcm(key, nonce, new Uint8Array(0), sealed.with(31, 0))).toBeUndefined();
  });

  it.each([
    {
      name: 'TEST 1',
      seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      message: '',
      signature:
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    },
    {
      name: 'TEST 2',
      seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      message: '72',
      signature:
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    },
    {
      name: 'TEST 3',
      seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      message: 'af82',
      signature:
        '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    },
  ])('Ed25519 (RFC 8032, section 7.1, $name)', ({ seed, publicKey, message, signature }) => {
    const signer = p.ed25519(hexToBytes(seed));
    expect(bytesToHex(signer.publicKey)).toBe(publicKey);
    expect(bytesToHex(signer.sign(hexToBytes(message)))).toBe(signature);
    expect(p.ed25519Verify(hexToBytes(publicKey), hexToBytes(signature), hexToBytes(message))).toBe(true);
    const longer = concatBytes(hexToBytes(message), Uint8Array.of(0));
    expect(p.ed25519Verify(hexToBytes(publicKey), hexToBytes(signature), longer)).toBe(false);
  });

  it('X25519 (RFC 7748, sections 5.2 and 6.1)', () => {
    const agreed = p
      .x25519(hexToBytes('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4'))
      .agree(hexToBytes('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c'));
    expect(agreed).toEqual(hexToBytes('c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552'));
    const alice = p.x25519(hexToBytes('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'));
    const bob = p.x25519(hexToBytes('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'));
    const shared = hexToBytes('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742');
    expect(alice.agree(bob.publicKey)).toEqual(shared);
    expect(bob.agree(alice.publicKey)).toEqual(shared);
  });

  it.each([
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ])('X25519 agrees on nothing with the point of small order %s', (point) => {
    expect(p.x25519(new Uint8Array(32).fill(7)).agree(hexToBytes(point))).toBeUndefined();
  });

  it('answers plain byte arrays, not Buffers', () => {
    const key = new Uint8Array(32).fill(1);
    const sealed = p.sealXChaCha(key, new Uint8Array(24), key, key);
    const signer = p.ed25519(key);
    for (const bytes of [
      p.sha256([key]),
      p.hmacSha256(key, [key]),
      sealed,
      p.openXChaCha(key, key, sealed),
      signer.publicKey,
      signer.sign(key),
      p.x25519(key).publicKey,
      p.x25519(key).agree(p.x25519(key).publicKey),
    ])
      expect(bytes?.constructor).toBe(Uint8Array);
  });
});
