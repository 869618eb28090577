/** Cases for other implementations: written here from fixed input, and read back as strangers' bytes. Refresh with `vitest run PATH -u`. */

import { readFileSync } from 'node:fs';
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '../base/bytes.ts';
import type { JsonObject } from '../base/json.ts';
import { type CborValue, decodeCbor, encodeCbor } from '../wire/cbor.ts';
import { checkCommitment, keyCommitment, openAead, sealAead, toAeadKey } from './aead.ts';
import { backends, nodePrimitives } from './backend/both.oracle.ts';
import { hkdf } from './hash.ts';
import { createHpke, hpkeKeyPairFromSecret } from './hpke.ts';
import { createHpkeSuite } from './hpke-suite.ts';
import * as keys from './keys.ts';
import { padPlaintext, unpadPlaintext } from './padme.ts';
import { FLOOR_ARGON2, unwrapWithPassphrase, wrapWithPassphrase } from './passphrase.ts';
import { createRecoveryPhrase, parseRecoveryPhrase, recoveryKeys } from './recovery.ts';
import { sign, signingKeyFromSeed, toVerifyKey, verify } from './sign.ts';

const FILE = new URL('../../../../vectors/crypto.json', import.meta.url);
const fill = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
const count = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);
const hex = bytesToHex;

const CBOR: readonly (readonly [string, CborValue])[] = [
  ['-1', -1],
  ['9007199254740992', 2n ** 53n],
  ['1.5', 1.5],
  ['3 * 2^-24', 3 * 2 ** -24],
  ['0.1', 0.1],
  ['bytes 01 02', Uint8Array.of(1, 2)],
  ['text U+FEFF U+1F600', '\ufeff\u{1f600}'],
  ['{b: [null, true], aa: {}, a: 24}', { b: [null, true], aa: {}, a: 24 }],
];
const CBOR_REFUSED: readonly (readonly [string, string])[] = [
  ['an integer in a longer head', '1817'],
  ['a length in a longer head', '580101'],
  ['keys out of order', 'a2616201616102'],
  ['a key twice', 'a2616101616102'],
  ['a whole number as a fraction', 'f93c00'],
  ['a fraction in 4 bytes that fits 2', 'fa34400000'],
  ['NaN', 'f97e00'],
  ['undefined', 'f7'],
  ['a tag', 'c100'],
  ['a list of indefinite length', '9fff'],
  ['a key that is no text', 'a10000'],
  ['text that is not UTF-8', '61ff'],
  ['trailing bytes', '0000'],
  ['cut off', '8200'],
];

/** Signatures whose equation holds in some implementation, and which are refused all the same. */
function refusedSignatures(): JsonObject[] {
  const { Point } = ed25519;
  const seed = fill(32, 1);
  const message = utf8ToBytes('message');
  const signed = concatBytes(utf8ToBytes('sluice/test/1\0'), message);
  const honest = nodePrimitives.ed25519(seed);
  const { scalar } = ed25519.utils.getExtendedPublicKey(seed);
  const fromScalar = (n: bigint) => hexToBytes(Point.Fn.create(n).toString(16).padStart(64, '0')).reverse();
  const challenge = (r: Uint8Array, a: Uint8Array) =>
    Point.Fn.create(BigInt(`0x${hex(sha512(concatBytes(r, a, signed)).reverse())}`));
  const torsion = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');
  const zero = Point.ZERO.toBytes();
  const base = Point.BASE.toBytes();
  const twisted = Point.BASE.add(torsion).toBytes();
  const good = honest.sign(signed);
  const raised = BigInt(`0x${hex(good.slice(32).reverse())}`) + Point.Fn.ORDER;
  const cases: readonly (readonly [string, Uint8Array, Uint8Array])[] = [
    ['key of small order', zero, concatBytes(base, fromScalar(1n))],
    ['key of small order, not canonical', hexToBytes(`ee${'ff'.repeat(30)}7f`), concatBytes(base, fromScalar(1n))],
    ['R of small order', honest.publicKey, concatBytes(zero, fromScalar(challenge(zero, honest.publicKey) * scalar))],
    [
      'S above the group order',
      honest.publicKey,
      concatBytes(good.slice(0, 32), hexToBytes(raised.toString(16)).reverse()),
    ],
    [
      'valid only when multiplied by the cofactor',
      honest.publicKey,
      concatBytes(twisted, fromScalar(1n + challenge(twisted, honest.publicKey) * scalar)),
    ],
  ];
  return cases.map(([why, publicKey, signature]) => ({
    why,
    publicKey: hex(publicKey),
    domain: 'sluice/test/1',
    message: hex(message),
    signature: hex(signature),
  }));
}

async function write(): Promise<JsonObject> {
  const key = toAeadKey(count(32));
  const aad = utf8ToBytes('context');
  const signer = signingKeyFromSeed(fill(32, 1));
  const recipient = hpkeKeyPairFromSecret(fill(32, 2));
  const hpke = createHpke(createHpkeSuite(nodePrimitives, () => fill(32, 3)));
  const wrapped = await wrapWithPassphrase(count(32), 'cafe\u0301', FLOOR_ARGON2, (length) => fill(length, 4));
  const recovery = recoveryKeys(fill(16, 0x7f));
  const stream = keys.streamId(1, keys.toTagSecret(fill(32, 7)), 'own/notes');
  const tagKey = keys.streamTagKey(keys.toTagSecret(fill(32, 7)), stream);
  return {
    about: 'Cases for spec/crypto.md. Bytes are hex. What is listed under a name ending in "Refused" must be refused.',
    cbor: CBOR.map(([value, item]) => ({ value, encoded: hex(encodeCbor(item)) })),
    cborRefused: CBOR_REFUSED.map(([why, encoded]) => ({ why, encoded })),
    hkdf: { parent: hex(key), label: 'keychain', derived: hex(hkdf(key, 'keychain')) },
    box: {
      key: hex(key),
      aad: hex(aad),
      plaintext: hex(utf8ToBytes('body')),
      sealed: hex(sealAead(key, aad, utf8ToBytes('body'), (length) => fill(length, 5))),
    },
    commitment: { key: hex(key), commitment: hex(keyCommitment(key)) },
    padding: [0, 5, 61].map((length) => ({ plaintext: hex(count(length)), padded: hex(padPlaintext(count(length))) })),
    paddingRefused: ['00000005010203040501', '000000050102030405', '00000004010203040000', '0000ffff'],
    signature: {
      seed: hex(fill(32, 1)),
      publicKey: hex(signer.publicKey),
      domain: 'sluice/test/1',
      message: hex(utf8ToBytes('message')),
      signature: hex(sign(signer, 'sluice/test/1', utf8ToBytes('message'))),
    },
    signaturesRefused: refusedSignatures(),
    hpke: {
      secret: hex(fill(32, 2)),
      publicKey: hex(recipient.publicKey),
      ephemeralSecret: hex(fill(32, 3)),
      info: hex(utf8ToBytes('info')),
      aad: hex(aad),
      plaintext: hex(utf8ToBytes('body')),
      sealed: hex(await hpke.seal(recipient.publicKey, utf8ToBytes('info'), aad, utf8ToBytes('body'))),
    },
    passphrase: { passphrase: 'caf\u00e9', secret: hex(count(32)), wrapped: hex(wrapped) },
    recovery: {
      phrase: createRecoveryPhrase(() => fill(16, 0x7f)),
      entropy: hex(fill(16, 0x7f)),
      locator: hex(recovery.locator),
      box: hex(recovery.boxKey),
      authPublicKey: hex(recovery.auth.publicKey),
    },
    keys: {
      accountRoot: hex(fill(32, 8)),
      keychainKey: hex(keys.keychainKey(keys.toAccountRoot(fill(32, 8)))),
      epochKey: hex(fill(32, 9)),
      collection: 'notes',
      collectionKey: hex(keys.collectionKey(keys.toEpochKey(fill(32, 9)), 'notes')),
    },
    names: {
      tagSecret: hex(fill(32, 7)),
      kind: 1,
      name: 'own/notes',
      streamId: hex(stream),
      streamTagKey: hex(tagKey),
      recordId: 'r\u00e9cord',
      tag: hex(keys.recordTag(tagKey, 'r\u00e9cord')),
      publicKey: hex(signer.publicKey),
      writerId: hex(keys.writerId(signer.publicKey)),
    },
  };
}

type Texts = Readonly<Record<string, string>>;
type Vectors = Readonly<
  Record<'hkdf' | 'box' | 'commitment' | 'signature' | 'hpke' | 'passphrase' | 'recovery' | 'keys', Texts> &
    Record<'cbor' | 'cborRefused' | 'padding' | 'signaturesRefused', readonly Texts[]>
> & { readonly paddingRefused: readonly string[]; readonly names: Texts & { readonly kind: never } };

const vectors = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors;
/** The named fields of a case, as bytes. */
const bytesOf = (texts: Texts, ...names: string[]): Uint8Array[] => names.map((name) => hexToBytes(texts[name] ?? ''));
const LIMITS = { maxBytes: 1000, maxDepth: 4 };

describe('vectors/crypto.json', () => {
  it('is what this code writes', async () => {
    await expect(`${JSON.stringify(await write(), null, 2)}\n`).toMatchFileSnapshot(FILE.pathname);
  });

  it('[CRY-1] reads each encoding and refuses each other one', () => {
    expect(vectors.cbor).toHaveLength(CBOR.length);
    vectors.cbor.forEach((item, index) => {
      expect(decodeCbor(hexToBytes(item.encoded ?? ''), LIMITS)).toEqual({ ok: true, value: CBOR[index]?.[1] });
    });
    for (const { why, encoded } of vectors.cborRefused)
      expect(decodeCbor(hexToBytes(encoded ?? ''), LIMITS).ok, why).toBe(false);
  });

  it('[CRY-3] [CRY-5] [CRY-6] opens the box, fits the commitment, and unpads', () => {
    const [key, aad, plaintext, sealed] = bytesOf(vectors.box, 'key', 'aad', 'plaintext', 'sealed') as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    expect(openAead(toAeadKey(key), aad, sealed)).toEqual({ ok: true, value: plaintext });
    const [committed, commitment] = bytesOf(vectors.commitment, 'key', 'commitment') as [Uint8Array, Uint8Array];
    expect(checkCommitment(committed, commitment)).toBe(true);
    for (const item of vectors.padding) {
      const [plain, padded] = bytesOf(item, 'plaintext', 'padded') as [Uint8Array, Uint8Array];
      expect(unpadPlaintext(padded)).toEqual({ ok: true, value: plain });
    }
    for (const padded of vectors.paddingRefused) expect(unpadPlaintext(hexToBytes(padded)).ok, padded).toBe(false);
  });

  it('[CRY-7] [CRY-8] verifies the signature and refuses the others, on each back end', () => {
    for (const [item, expected] of [
      [vectors.signature, true] as const,
      ...vectors.signaturesRefused.map((refused) => [refused, false] as const),
    ]) {
      const [publicKey, message, signature] = bytesOf(item, 'publicKey', 'message', 'signature') as [
        Uint8Array,
        Uint8Array,
        Uint8Array,
      ];
      const domain = item.domain ?? '';
      expect(verify(toVerifyKey(publicKey), signature, domain, message), item.why).toBe(expected);
      const signed = concatBytes(utf8ToBytes(`${domain}\0`), message);
      for (const { name, p } of backends)
        expect(p.ed25519Verify(publicKey, signature, signed), `${item.why} on ${name}`).toBe(expected);
    }
    expect(vectors.signaturesRefused).toHaveLength(5);
  });

  it('[CRY-9] [CRY-10] [CRY-12] opens what is sealed to a key, a passphrase and a phrase', async () => {
    const [secret, info, aad, plaintext, sealed] = bytesOf(
      vectors.hpke,
      ...['secret', 'info', 'aad', 'plaintext', 'sealed'],
    ) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    for (const { p } of backends) {
      const hpke = createHpke(createHpkeSuite(p, () => fill(32, 1)));
      expect(await hpke.open(hpkeKeyPairFromSecret(secret), info, aad, sealed)).toEqual({ ok: true, value: plaintext });
    }
    const { passphrase = '' } = vectors.passphrase;
    const [kept, wrapped] = bytesOf(vectors.passphrase, 'secret', 'wrapped') as [Uint8Array, Uint8Array];
    expect(await unwrapWithPassphrase(wrapped, passphrase)).toEqual({ ok: true, value: kept });
    const parsed = parseRecoveryPhrase(vectors.recovery.phrase ?? '');
    const recovered = recoveryKeys(parsed.ok ? parsed.value.reveal() : fill(16, 0));
    expect(hex(recovered.locator)).toBe(vectors.recovery.locator);
    expect(hex(recovered.boxKey)).toBe(vectors.recovery.box);
    expect(hex(recovered.auth.publicKey)).toBe(vectors.recovery.authPublicKey);
  });
});
