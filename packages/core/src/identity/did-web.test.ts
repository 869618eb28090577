import { describe, expect, it } from 'vitest';
import type { Did } from '../base/ids.ts';
import { didWebOrigin, originDid, parseDidWeb } from './did-web.ts';

const did = (text: string): Did => text as Did;
const documentUrl = (text: string): string | undefined => {
  const parsed = parseDidWeb(text);
  return parsed.ok ? parsed.value.url.href : undefined;
};

describe('did:web', () => {
  it('[ID-2] names the document of an origin, a port and a path', () => {
    expect(documentUrl('did:web:clinic.example')).toBe('https://clinic.example/.well-known/did.json');
    expect(documentUrl('did:web:clinic.example%3A8443')).toBe('https://clinic.example:8443/.well-known/did.json');
    expect(documentUrl('did:web:clinic.example:apps:lab')).toBe('https://clinic.example/apps/lab/did.json');
    expect(documentUrl('did:web:node.sluice.test')).toBe('https://node.sluice.test/.well-known/did.json');
  });

  it('[ID-2] speaks for its origin only without a path', () => {
    expect(didWebOrigin(did('did:web:clinic.example'))).toBe('https://clinic.example');
    expect(didWebOrigin(did('did:web:clinic.example%3A8443'))).toBe('https://clinic.example:8443');
    expect(didWebOrigin(did('did:web:clinic.example:apps:lab'))).toBeUndefined();
    expect(didWebOrigin(did('did:key:clinic.example'))).toBeUndefined();
  });

  it('[ID-2] refuses addresses, local names, other escapes, upper case and dot segments', () => {
    const refused = [
      'did:web:127.0.0.1',
      'did:web:2130706433',
      'did:web:0x7f.0.0.1',
      'did:web:a.0x7f',
      'did:web:localhost',
      'did:web:localhost%3A8080',
      'did:web:Clinic.example',
      'did:web:clinic.example.',
      'did:web:clinic..example',
      'did:web:-a.example',
      'did:web:clinic.example%2Fevil',
      'did:web:clinic.example%3a8443',
      'did:web:clinic.example%3A443',
      'did:web:clinic.example%3A0',
      'did:web:clinic.example%3A70000',
      'did:web:clinic.example%3A1%3A2',
      'did:web:user%40clinic.example',
      'did:web:clinic.example:..:secret',
      'did:web:clinic.example:%2e%2e',
      'did:web:clinic.example:',
      'did:web:clinic.example::a',
      'did:web:clinic.example/path',
      'did:web:clinic.example#key',
      'did:web:',
      'did:webvh:clinic.example',
    ];
    for (const text of refused) {
      expect(parseDidWeb(text), text).toEqual({ ok: false, error: { type: 'malformed' } });
    }
  });

  it('[ID-2] maps an https origin to its DID and back', () => {
    for (const origin of ['https://clinic.example', 'https://clinic.example:8443', 'https://app.sluice.test']) {
      expect(didWebOrigin(originDid(origin))).toBe(origin);
    }
    const refused = [
      'http://clinic.example',
      'https://clinic.example/',
      'https://Clinic.example',
      'https://clinic.example:443',
    ];
    for (const origin of [
      ...refused,
      'https://127.0.0.1',
      'https://localhost',
      'null',
      '',
      'https://a@clinic.example',
    ]) {
      expect(() => originDid(origin), origin).toThrow(TypeError);
    }
  });
});
