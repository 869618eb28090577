/** Writes did:key names for tests; shipped code only reads them. */

import { type Did, toDid } from '../base/ids.ts';
import type { VerifyKey } from '../crypto/sign.ts';
import { encodeMultikey } from './did-key.ts';

export const didKey = (publicKey: VerifyKey): Did => toDid(`did:key:${encodeMultikey('ed25519', publicKey)}`);
