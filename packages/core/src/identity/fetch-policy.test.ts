import { describe, expect, it } from 'vitest';
import { checkUrl, isDevAddress, isPrivateAddress } from './fetch-policy.ts';

const refusal = (url: string, devHosts?: ReadonlyMap<string, string>): string => {
  const result = checkUrl(url, devHosts);
  return result.ok ? `dial ${result.value.href}` : result.error.reason;
};

describe('the fetch policy', () => {
  it('[ID-14] lets https to a DNS name through, without the fragment', () => {
    expect(refusal('https://clinic.example/did.json?v=1#x')).toBe('dial https://clinic.example/did.json?v=1');
    expect(refusal('https://clinic.example:8443/')).toBe('dial https://clinic.example:8443/');
  });

  it('[ID-14] refuses everything else by name', () => {
    expect(refusal('not a url')).toBe('malformed');
    for (const url of ['http://clinic.example', 'ftp://clinic.example', 'file:///etc/passwd', 'data:text/plain,x'])
      expect(refusal(url)).toBe('not-https');
    for (const url of ['https://u@clinic.example', 'https://u:p@clinic.example', 'https://:p@clinic.example'])
      expect(refusal(url)).toBe('credentials');
    const literals = [
      '127.0.0.1',
      '2130706433',
      '0x7f000001',
      '0177.0.0.1',
      '127.1',
      '8.8.8.8',
      '[::1]',
      '[2606:4700::1111]',
      '[::ffff:127.0.0.1]',
    ];
    for (const host of literals) expect(refusal(`https://${host}/`), host).toBe('ip-literal');
    const local = [
      'localhost',
      'a.localhost',
      'printer.local',
      'db.internal',
      'router.lan',
      'intranet',
      'clinic.example.',
      '1.0.0.127.in-addr.arpa',
    ];
    for (const host of local) expect(refusal(`https://${host}/`), host).toBe('local-name');
  });

  it('[ID-16] knows only the dev hosts where there are any', () => {
    const hosts = new Map([
      ['node.sluice.test', '127.0.0.1:4321'],
      ['evil.test', '10.0.0.1:80'],
      ['odd.test', '127.0.0.1:99999'],
    ]);
    expect(refusal('https://node.sluice.test/did/x?y=1', hosts)).toBe('dial http://127.0.0.1:4321/did/x?y=1');
    for (const host of [
      'clinic.example',
      'evil.test',
      'odd.test',
      'node.sluice.test:8443',
      'x.node.sluice.test',
      'localhost',
    ]) {
      expect(refusal(`https://${host}/`, hosts), host).toBe('not-a-dev-host');
    }
    expect(refusal('https://node.sluice.test/', new Map())).toBe('not-a-dev-host');
    expect(refusal('http://node.sluice.test/', hosts)).toBe('not-https');
    expect(refusal('https://127.0.0.1:4321/', hosts)).toBe('ip-literal');
    expect(['127.0.0.1:1', '127.0.0.1:65535'].every(isDevAddress)).toBe(true);
    expect(
      ['127.0.0.1', '127.0.0.1:0', '127.0.0.1:65536', '127.0.0.2:1', 'localhost:1', '127.0.0.1:1/x'].some(isDevAddress),
    ).toBe(false);
  });

  it('[ID-15] calls private what is not the public Internet', () => {
    const v4 = [
      '0.0.0.0',
      '10.1.2.3',
      '100.64.0.1',
      '100.127.255.255',
      '127.0.0.1',
      '169.254.169.254',
      '172.16.0.1',
      '172.31.255.255',
      '192.0.0.8',
      '192.0.2.1',
      '192.168.1.1',
      '198.18.0.1',
      '198.19.255.255',
      '198.51.100.1',
      '203.0.113.9',
      '224.0.0.1',
      '240.0.0.1',
      '255.255.255.255',
    ];
    const v6 = [
      '::',
      '::1',
      '::ffff:8.8.8.8',
      '::ffff:808:808',
      '64:ff9b::808:808',
      'fe80::1',
      'fe80::1%eth0',
      'fc00::1',
      'fd12:3456::1',
      'ff02::1',
      '2001:db8::1',
      '2001::1',
      '2002:7f00:1::',
      '3fff::1',
      '100::1',
      '2606:4700::1111::',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
    ];
    for (const ip of [...v4, ...v6, '', 'clinic.example', '1.2.3', '1.2.3.256', '01.2.3.4', '8.8.8.8 '])
      expect(isPrivateAddress(ip), ip).toBe(true);
    for (const ip of [
      '8.8.8.8',
      '1.1.1.1',
      '100.63.255.255',
      '100.128.0.1',
      '172.15.0.1',
      '172.32.0.1',
      '192.1.0.1',
      '198.20.0.1',
      '223.255.255.255',
      '11.0.0.1',
    ]) {
      expect(isPrivateAddress(ip), ip).toBe(false);
    }
    for (const ip of ['2606:4700:4700::1111', '2a00:1450:4001:800::200e', '2001:200::1', '2003::1', '3ffe::1'])
      expect(isPrivateAddress(ip), ip).toBe(false);
  });
});
