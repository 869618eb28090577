/** Twelve words, and what they open. */

import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import type { Random } from '../base/random.ts';
import { type Redacted, redact } from '../base/redacted.ts';
import { err, ok, type Result } from '../base/result.ts';
import { type AeadKey, toAeadKey } from './aead.ts';
import { hkdf } from './hash.ts';
import { type SigningKey, signingKeyFromSeed } from './sign.ts';

export const createRecoveryPhrase = (random: Random): string => entropyToMnemonic(random(16), wordlist);
export function parseRecoveryPhrase(text: string): Result<Redacted<Uint8Array>, { readonly type: 'bad-phrase' }> {
  try {
    const entropy = mnemonicToEntropy(text.normalize('NFKD').trim().toLowerCase().split(/\s+/).join(' '), wordlist);
    return entropy.length === 16 ? ok(redact(entropy)) : err({ type: 'bad-phrase' });
  } catch {
    return err({ type: 'bad-phrase' });
  }
}
export const recoveryKeys = (entropy: Uint8Array): { readonly locator: Uint8Array; readonly boxKey: AeadKey; readonly auth: SigningKey } => ({
  locator: hkdf(entropy, 'locator'),
  boxKey: toAeadKey(hkdf(entropy, 'box')),
  auth: signingKeyFromSeed(hkdf(entropy, 'auth')),
});
