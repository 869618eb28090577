import { describe, expect, it } from 'vitest';
import { bytesToHex, hexToBytes } from '../base/bytes.ts';
import { systemRandom } from '../base/random.ts';
import { hkdf } from './hash.ts';
import { createRecoveryPhrase, parseRecoveryPhrase, recoveryKeys } from './recovery.ts';
import { signingKeyFromSeed } from './sign.ts';

const BAD_PHRASE = { ok: false, error: { type: 'bad-phrase' } };
const entropyOf = (text: string) => {
  const parsed = parseRecoveryPhrase(text);
  return parsed.ok ? bytesToHex(parsed.value.reveal()) : parsed.error.type;
};

/** From the vectors of BIP-39. */
const PUBLISHED: readonly (readonly [string, string])[] = [
  ['00000000000000000000000000000000', `${'abandon '.repeat(11)}about`],
  ['7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f', 'legal winner thank year wave sausage worth useful legal winner thank yellow'],
  [
    '80808080808080808080808080808080',
    'letter advice cage absurd amount doctor acoustic avoid letter advice cage above',
  ],
  ['ffffffffffffffffffffffffffffffff', `${'zoo '.repeat(11)}wrong`],
];

describe('recovery phrases', () => {
  it.each(PUBLISHED)('[CRY-12] %s is %s', (entropy, phrase) => {
    expect(createRecoveryPhrase(() => hexToBytes(entropy))).toBe(phrase);
    expect(entropyOf(phrase)).toBe(entropy);
  });

  it('[CRY-12] are read in any case, spacing and Unicode form', () => {
    const phrase = PUBLISHED[1]?.[1] ?? '';
    const wide = phrase.replace('legal', '\uff4c\uff45\uff47\uff41\uff4c');
    for (const typed of [phrase.toUpperCase(), `\n ${phrase.replaceAll(' ', ' \t\u00a0\u3000\n')}  `, wide]) {
      expect(entropyOf(typed)).toBe('7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f');
    }
  });

  it('[CRY-12] with a wrong word, order, number of words or checksum are refused without a reason', () => {
    const [first, ...rest] = (PUBLISHED[2]?.[1] ?? '').split(' ') as [string, ...string[]];
    const good = [first, ...rest];
    const bad = [
      '',
      first,
      good.slice(1).join(' '),
      [...good, first].join(' '),
      [...good, ...good].join(' '),
      ['lettre', ...rest].join(' '),
      [rest[0], first, ...rest.slice(1)].join(' '),
      'abandon '.repeat(12),
      good.join(', '),
      'a'.repeat(100_000),
    ];
    for (const phrase of bad) expect(parseRecoveryPhrase(phrase), phrase.slice(0, 80)).toEqual(BAD_PHRASE);
  });

  it('come back from randomness, and print as nothing', () => {
    for (let i = 0; i < 50; i++) {
      const entropy = systemRandom(16);
      expect(entropyOf(createRecoveryPhrase(() => entropy))).toBe(bytesToHex(entropy));
    }
    const parsed = parseRecoveryPhrase(PUBLISHED[0]?.[1] ?? '');
    expect(JSON.stringify(parsed)).toBe('{"ok":true,"value":"<redacted>"}');
  });
});

describe('recoveryKeys', () => {
  it('[CRY-12] derives the locator, the box key and the key that reads and writes the box', () => {
    const entropy = new Uint8Array(16).fill(0x7f);
    const keys = recoveryKeys(entropy);
    expect(keys.locator).toEqual(hkdf(entropy, 'locator'));
    expect(keys.boxKey).toEqual(hkdf(entropy, 'box'));
    expect(keys.auth.publicKey).toEqual(signingKeyFromSeed(hkdf(entropy, 'auth')).publicKey);
    expect(() => recoveryKeys(new Uint8Array(32))).toThrow(TypeError);
  });
});
