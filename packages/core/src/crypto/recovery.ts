/** The recovery phrase: twelve words that stand for 16 random bytes, and the keys derived from them. */

import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import type { Random } from '../base/random.ts';
import { type Redacted, redact } from '../base/redacted.ts';
import { err, ok, type Result } from '../base/result.ts';
import { type AeadKey, toAeadKey } from './aead.ts';
import { hkdf } from './hash.ts';
import { type SigningKey, signingKeyFromSeed } from './sign.ts';

/** What the twelve words give: where the recovery box is, what opens it, and who may read and write it. */
export type RecoveryKeys = { readonly locator: Uint8Array; readonly boxKey: AeadKey; readonly auth: SigningKey };

const ENTROPY_BYTES = 16;
const WORDS = 12;
/** No English word has more than 8 letters; longer text is not looked at. */
const MAX_CHARS = 512;

/** Creates a recovery phrase: twelve English BIP-39 words, 128 bits. */
export const createRecoveryPhrase = (random: Random): string => entropyToMnemonic(random(ENTROPY_BYTES), wordlist);

/**
 * Reads a recovery phrase as people type it: any case, any white space, any Unicode form.
 *
 * Errors: bad-phrase (a word not in the list, another number of words, wrong checksum). Source: spec/crypto.md CRY-12; BIP-39.
 */
export function parseRecoveryPhrase(text: string): Result<Redacted<Uint8Array>, { readonly type: 'bad-phrase' }> {
  if (text.length > MAX_CHARS) return err({ type: 'bad-phrase' });
  const words = text.normalize('NFKD').toLowerCase().trim().split(/\s+/u);
  if (words.length !== WORDS) return err({ type: 'bad-phrase' });
  try {
    return ok(redact(mnemonicToEntropy(words.join(' '), wordlist)));
  } catch {
    return err({ type: 'bad-phrase' });
  }
}

/** Derives the recovery keys from the 16 bytes of a phrase. Source: spec/crypto.md CRY-12; vectors/crypto.json. */
export function recoveryKeys(entropy: Uint8Array): RecoveryKeys {
  if (entropy.length !== ENTROPY_BYTES) throw new TypeError('recovery entropy must be 16 bytes');
  return {
    locator: hkdf(entropy, 'locator'),
    boxKey: toAeadKey(hkdf(entropy, 'box')),
    auth: signingKeyFromSeed(hkdf(entropy, 'auth')),
  };
}
