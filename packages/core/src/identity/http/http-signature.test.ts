import { base64 } from '@scure/base';
import { createSignatureSync } from 'http-message-sig';
import { describe, expect, it } from 'vitest';
import { base64urlToBytes, utf8ToBytes } from '../../base/bytes.ts';
import { type SigningKey, signingKeyFromSeed, signRaw, verifyRaw } from '../../crypto/sign.ts';
import { contentDigest, signRequest, verifyRequest } from './http-signature.ts';
import { createNonceCache } from './nonce-cache.ts';

const key = signingKeyFromSeed(new Uint8Array(32).fill(1));
const nowMs = Date.UTC(2026, 10, 24, 9);
const url = 'https://node.sluice.test/v1/spaces/abc/push?x=1';
const body = utf8ToBytes('some sealed bytes');
const clock = { nowMs: () => nowMs };
const random = (length: number): Uint8Array => new Uint8Array(length).fill(7);
const sent = (more: object = {}) => signRequest({ method: 'POST', url, body, key, clock, random, ...more });
type Headers = Parameters<typeof verifyRequest>[0]['headers'];
const outcome = async (headers: Headers, more: object = {}): Promise<string> => {
  const result = await verifyRequest({ method: 'POST', url, headers, body, nowMs, ...more });
  return result.ok ? 'ok' : result.error.type;
};

/** Signs any profile, as a client that knows the library but not the rules. */
function signed(components: readonly string[], change: object = {}, by: SigningKey = key, label = 'sluice'): Headers {
  const created = Math.floor(nowMs / 1000);
  const parameters = {
    created,
    expires: created + 60,
    nonce: 'BwcHBwcHBwcHBwcHBwcHBw',
    keyid: 'iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w',
    alg: 'ed25519',
    tag: 'sluice-req-1',
    ...change,
  };
  const fields = [
    { name: 'content-digest', value: contentDigest(body) },
    { name: 'x-a', value: 'b' },
  ];
  const result = createSignatureSync(
    { kind: 'request', method: 'POST', targetUri: url, fields },
    { label, components, parameters, signer: { algorithm: 'ed25519', sign: (bytes) => signRaw(by, bytes) } },
  );
  return {
    'content-digest': contentDigest(body),
    'x-a': 'b',
    signature: result.signature,
    'signature-input': result.signatureInput,
  };
}
const PROFILE = ['@method', '@target-uri', 'content-digest'];

describe('the signature stack', () => {
  it('[HTTP-1] gives the bytes of RFC 9421 B.2.6 and of RFC 9530', () => {
    const test = signingKeyFromSeed(base64urlToBytes('n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU'));
    const { signature } = createSignatureSync(
      {
        kind: 'request',
        method: 'POST',
        targetUri: 'https://example.com/foo?param=Value&Pet=dog',
        fields: [
          { name: 'Date', value: 'Tue, 20 Apr 2021 02:07:55 GMT' },
          { name: 'Content-Type', value: 'application/json' },
          { name: 'Content-Length', value: '18' },
        ],
      },
      {
        label: 'sig-b26',
        components: ['date', '@method', '@path', '@authority', 'content-type', 'content-length'],
        parameters: { created: 1618884473, keyid: 'test-key-ed25519' },
        signer: { algorithm: 'ed25519', sign: (bytes) => signRaw(test, bytes) },
      },
    );
    expect(signature).toBe(
      'sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:',
    );
    expect(contentDigest(utf8ToBytes('{"hello": "world"}'))).toBe(
      'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:',
    );
  });
});

describe('a signed request', () => {
  it('[HTTP-1] verifies at the node it names and gives its key, nonce and end', async () => {
    const headers = sent();
    expect(headers['signature-input']).toBe(
      `sluice=("@method" "@target-uri" "content-digest");created=${nowMs / 1000};expires=${nowMs / 1000 + 60};nonce="BwcHBwcHBwcHBwcHBwcHBw";keyid="iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w";alg="ed25519";tag="sluice-req-1"`,
    );
    expect(await verifyRequest({ method: 'post', url: new URL(url), headers, body, nowMs })).toEqual({
      ok: true,
      value: { publicKey: key.publicKey, nonce: random(16), expiresMs: nowMs + 360_000 },
    });
  });

  it('[HTTP-1] signs what RFC 9421 says, byte for byte', async () => {
    const headers = sent();
    const [, parameters = ''] = /^sluice=(.*)$/.exec(headers['signature-input'] ?? '') ?? [];
    const base = `"@method": POST\n"@target-uri": ${url}\n"content-digest": ${contentDigest(body)}\n"@signature-params": ${parameters}`;
    const signature = base64.decode(/^sluice=:(.*):$/.exec(headers.signature ?? '')?.[1] ?? '');
    expect(verifyRaw(key.publicKey, signature, utf8ToBytes(base))).toBe(true);
  });

  it('[HTTP-1] without a body covers the method and the URL only', async () => {
    const headers = signRequest({ method: 'GET', url, key, clock, random });
    expect(Object.keys(headers).sort()).toEqual(['signature', 'signature-input']);
    const get = { method: 'GET', body: undefined };
    expect(await outcome(headers, get)).toBe('ok');
    expect(await outcome(headers, { method: 'GET', body: new Uint8Array(0) })).toBe('ok');
    expect(await outcome(headers, { method: 'GET', body })).toBe('malformed');
    expect(await outcome(headers, { method: 'DELETE', body: undefined })).toBe('bad-signature');
  });

  it('[HTTP-1] is refused in any other profile, though well signed', async () => {
    expect(await outcome(signed(PROFILE))).toBe('ok');
    const profiles: readonly (readonly string[])[] = [
      [],
      ['@method'],
      PROFILE.slice(0, 2),
      ['@target-uri', '@method', 'content-digest'],
      [...PROFILE, 'x-a'],
      ['@method', '@path', 'content-digest'],
    ];
    for (const components of profiles) expect(await outcome(signed(components)), components.join()).toBe('malformed');
    for (const change of [
      { tag: 'other' },
      { tag: undefined },
      { alg: undefined },
      { nonce: undefined },
      { created: undefined },
      { expires: undefined },
      { keyid: undefined },
      { extra: 'x' },
    ]) {
      expect(await outcome(signed(PROFILE, change)), JSON.stringify(change)).toBe('malformed');
    }
    expect(await outcome(signed(PROFILE, {}, key, 'sig1'))).toBe('malformed');
    expect(await outcome({ ...sent(), 'signature-input': `${sent()['signature-input']};alg="ed25519"` })).toBe(
      'malformed',
    );
  });

  it('[HTTP-1] is refused without a signature, with half of one, or with text that is none', async () => {
    const { signature, 'signature-input': input, ...rest } = sent();
    expect(await outcome(rest)).toBe('no-signature');
    expect(await outcome({ ...rest, signature })).toBe('malformed');
    expect(await outcome({ ...rest, 'signature-input': input })).toBe('malformed');
    for (const text of [
      '',
      'x',
      'sluice',
      'sluice=:AA==:',
      `${signature}, ${signature}`,
      'sluice=:!:',
      'ü',
      'a'.repeat(3000),
    ]) {
      expect(await outcome({ ...rest, signature: text, 'signature-input': input }), text.slice(0, 40)).toMatch(
        /^(malformed|bad-signature)$/,
      );
      expect(await outcome({ ...rest, signature, 'signature-input': text }), text.slice(0, 40)).toBe('malformed');
    }
    expect(
      await outcome({ ...rest, signature: [String(signature), String(signature)], 'signature-input': input }),
    ).toBe('malformed');
    expect(await outcome({ ...rest, Signature: signature, 'Signature-Input': input })).toBe('ok');
  });

  it('[HTTP-2] is refused at another node, path or scheme: relaying is of no use', async () => {
    for (const other of [
      url.replace('node.', 'evil.'),
      `${url}&y=2`,
      url.replace('push', 'pull'),
      url.replace('https', 'http'),
      'https://node.sluice.test:8443/v1/spaces/abc/push?x=1',
    ]) {
      expect(await outcome(sent(), { url: other }), other).toBe('bad-signature');
    }
    expect(await outcome(sent(), { url: `${url}#x` })).toBe('ok');
    expect(await outcome(sent(), { url: 'nonsense' })).toBe('malformed');
  });

  it('[HTTP-3] is refused with another body, no body, or a digest that was swapped along', async () => {
    const other = utf8ToBytes('other sealed bytes');
    expect(await outcome(sent(), { body: other })).toBe('digest-mismatch');
    expect(await outcome(sent(), { body: undefined })).toBe('malformed');
    expect(await outcome({ ...sent(), 'content-digest': contentDigest(other) }, { body: other })).toBe('bad-signature');
    expect(await outcome({ ...sent(), 'content-digest': undefined })).toBe('malformed');
  });

  it('[HTTP-4] is valid for a minute, give or take five of the clock', async () => {
    const at = (ms: number) => outcome(sent(), { nowMs: nowMs + ms });
    expect(await at(-300_000)).toBe('ok');
    expect(await at(-300_001)).toBe('clock-skew');
    expect(await at(359_999)).toBe('ok');
    expect(await at(360_000)).toBe('expired');
    expect(await outcome(sent(), { nowMs: nowMs + 61_000, maxSkewMs: 1000 })).toBe('expired');
    const created = nowMs / 1000;
    for (const expires of [created + 61, created, created - 1])
      expect(await outcome(signed(PROFILE, { expires }))).toBe('malformed');
  });

  it('[HTTP-5] names its key and a nonce of 16 bytes, and is refused under any other key', async () => {
    const other = signingKeyFromSeed(new Uint8Array(32).fill(2));
    expect(await outcome(signed(PROFILE, {}, other))).toBe('bad-signature');
    for (const keyid of ['', 'x', 'did:key:z6Mk', 'AAAA', 'iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w='])
      expect(await outcome(signed(PROFILE, { keyid })), keyid).toBe('malformed');
    for (const nonce of ['', 'AAAA', 'BwcHBwcHBwcHBwcHBwcHB_', 'BwcHBwcHBwcHBwcHBwcHBwcH'])
      expect(await outcome(signed(PROFILE, { nonce })), nonce).toBe('malformed');
  });

  it('[HTTP-6] is caught when it comes a second time', async () => {
    const cache = createNonceCache({ maxEntries: 100 });
    const arrive = async (headers: Headers): Promise<boolean> => {
      const result = await verifyRequest({ method: 'POST', url, headers, body, nowMs });
      return result.ok && !cache.seen(result.value.publicKey, result.value.nonce, result.value.expiresMs, nowMs);
    };
    const headers = sent();
    expect([await arrive(headers), await arrive(headers)]).toEqual([true, false]);
    expect(await arrive(sent({ random: (n: number) => new Uint8Array(n).fill(8) }))).toBe(true);
  });
});
