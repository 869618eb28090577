import { describe, expect, it } from 'vitest';
import { toDid } from '../../base/ids.ts';
import { sign, signingKeyFromSeed } from '../../crypto/sign.ts';
import { encodeCbor } from '../../wire/cbor.ts';
import { signHello, verifyHello } from './hello.ts';

const key = signingKeyFromSeed(new Uint8Array(32).fill(1));
const other = signingKeyFromSeed(new Uint8Array(32).fill(2));
const node = toDid('did:web:node.sluice.test');
const nonce = new Uint8Array(16).fill(3);
const now = Date.UTC(2026, 10, 24);
const outcome = (...args: Parameters<typeof verifyHello>): string => {
  const result = verifyHello(...args);
  return result.ok ? 'ok' : result.error.type;
};

describe('a hello', () => {
  it('[HTTP-8] gives the key that signed it for this node and connection', () => {
    expect(verifyHello(signHello(key, node, nonce, now), node, nonce, now)).toEqual({ ok: true, value: key.publicKey });
  });

  it('[HTTP-8] is refused at another node, on another connection, or under another key', () => {
    const signed = signHello(key, node, nonce, now);
    expect(outcome(signed, toDid('did:web:evil.example'), nonce, now)).toBe('wrong-node');
    expect(outcome(signed, node, new Uint8Array(16), now)).toBe('wrong-nonce');
    expect(outcome(signed, node, new Uint8Array(15), now)).toBe('wrong-nonce');
    const hello = encodeCbor([1, key.publicKey, node, nonce, now]);
    expect(outcome(encodeCbor([hello, sign(other, 'sluice/hello/1', hello)]), node, nonce, now)).toBe('bad-signature');
    expect(outcome(encodeCbor([hello, sign(key, 'sluice/card/1', hello)]), node, nonce, now)).toBe('bad-signature');
    for (const bytes of [new Uint8Array(0), new Uint8Array(9999), hello])
      expect(outcome(bytes, node, nonce, now)).toBe('malformed');
  });

  it('[HTTP-9] is refused more than five minutes off the clock of the node', () => {
    const signed = signHello(key, node, nonce, now);
    expect([now - 300_000, now + 300_000].map((at) => outcome(signed, node, nonce, at))).toEqual(['ok', 'ok']);
    expect([now - 300_001, now + 300_001].map((at) => outcome(signed, node, nonce, at))).toEqual([
      'clock-skew',
      'clock-skew',
    ]);
  });
});
