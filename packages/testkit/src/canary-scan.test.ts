import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formsOf, scanForWords } from './canary-scan.ts';

const WORD = 'canary-quince';
/** Holds bytes that base64 and base64url write apart. */
const KEY = { name: 'key', bytes: Uint8Array.of(0xfb, 0xff, 0xbf, 1, 2, 3, 4, 0xfe, 0xff, 0xef, 9, 8, 7, 6, 5, 4) };

describe('the canary scan', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-scan-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const plant = (content: Uint8Array | string): void => writeFileSync(join(folder, 'planted'), content);
  const formsFound = (): string[] => scanForWords(folder, [WORD, KEY]).hits.map((hit) => `${hit.word} ${hit.form}`);

  const PLANTED = [
    ['canary-quince', Buffer.from(WORD)],
    ['key', Buffer.from(KEY.bytes)],
  ] as const;
  const around = (bytes: Buffer, before: number): Buffer =>
    Buffer.concat([Buffer.alloc(before, 0x41), bytes, Buffer.from('after')]);

  it.each(PLANTED)('finds %s in bytes and in hex of both cases', (name, bytes) => {
    plant(around(bytes, 7));
    expect(formsFound()).toEqual([`${name} utf8`]);
    plant(`x${around(bytes, 4).toString('hex')}`);
    expect(formsFound()).toEqual([`${name} hex`]);
    plant(around(bytes, 4).toString('hex').toUpperCase());
    expect(formsFound()).toEqual([`${name} HEX`]);
  });

  it.each(PLANTED)('finds %s in base64 and base64url, wherever it begins', (name, bytes) => {
    for (const before of [0, 1, 2, 3, 4, 5]) {
      for (const encoding of ['base64', 'base64url'] as const) {
        plant(`{"x":"${around(bytes, before).toString(encoding)}"}`);
        expect(formsFound()).toContain(`${name} ${encoding}+${before % 3}`);
      }
    }
  });

  it('finds text in UTF-16, and in files of folders below', () => {
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    writeFileSync(join(folder, 'a/b/deep'), Buffer.from(WORD, 'utf16le'));
    const { hits, files, bytes } = scanForWords(folder, [WORD, KEY]);
    expect(hits).toEqual([{ file: join('a', 'b', 'deep'), word: WORD, form: 'utf16' }]);
    expect({ files, bytes }).toEqual({ files: 1, bytes: 2 * WORD.length });
  });

  it('looks only where it is told, and refuses what chance would find', () => {
    plant(WORD);
    expect(scanForWords(folder, [WORD], (path) => path !== 'planted')).toEqual({ hits: [], bytes: 0, files: 0 });
    expect(() => formsOf('four')).toThrow(RangeError);
  });

  it('finds nothing where there is nothing', () => {
    plant(Buffer.from('canary-quinc canary-quinces'.replace('quinces', 'walnuts')));
    expect(formsFound()).toEqual([]);
  });
});
