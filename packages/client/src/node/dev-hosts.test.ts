import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDevHosts, writeDevHosts } from './dev-hosts.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-dev-hosts-'));
  path = join(folder, 'dev-hosts');
});
afterEach(() => rm(folder, { recursive: true }));

describe('the dev-hosts file', () => {
  it('is empty while there is none, and then holds the last address of each name', async () => {
    expect(readDevHosts(path)).toEqual(new Map());
    await writeDevHosts(path, 'node.sluice.test', '127.0.0.1:1000');
    await writeDevHosts(path, 'clinic.example', '127.0.0.1:2000');
    await writeDevHosts(path, 'node.sluice.test', '127.0.0.1:3000');
    expect(readDevHosts(path)).toEqual(
      new Map([
        ['node.sluice.test', '127.0.0.1:3000'],
        ['clinic.example', '127.0.0.1:2000'],
      ]),
    );
  });

  it('may be edited by hand, with comments, and without a last line break', async () => {
    await writeFile(path, '# mine\r\n\n  clinic.example=127.0.0.1:2000');
    await writeDevHosts(path, 'node.sluice.test', '127.0.0.1:1000');
    expect([...readDevHosts(path).keys()]).toEqual(['clinic.example', 'node.sluice.test']);
  });

  it('names the line that is of another form', async () => {
    for (const line of [
      'clinic.example',
      'clinic.example=10.0.0.1:80',
      'localhost=127.0.0.1:80',
      'a.example=127.0.0.1:0',
      'a.example=127.0.0.1:1=2',
    ]) {
      await writeFile(path, `ok.example=127.0.0.1:1\n${line}\n`);
      expect(() => readDevHosts(path), line).toThrow(':2 is not of the form');
    }
  });

  it('is not written with a name or address it could not read', async () => {
    for (const [name, address] of [
      ['localhost', '127.0.0.1:1'],
      ['a.example', '127.0.0.1'],
      ['a.example\nb.example', '127.0.0.1:1'],
      ['a.example', '0.0.0.0:1'],
    ] as const) {
      await expect(writeDevHosts(path, name, address)).rejects.toThrow(TypeError);
    }
    await expect(readFile(path)).rejects.toThrow('ENOENT');
  });

  it('loses no name when several processes write at once', async () => {
    const script = `
      import { appendFileSync } from 'node:fs';
      const { writeDevHosts } = await import(${JSON.stringify(join(folder, 'writer.mjs'))});
      for (let i = 0; i < 40; i++) await writeDevHosts(${JSON.stringify(path)}, 'n' + i + '-' + process.argv[1] + '.test', '127.0.0.1:' + (i + 1));`;
    const { build } = await import('esbuild');
    await build({
      entryPoints: [new URL('./dev-hosts.ts', import.meta.url).pathname],
      outfile: join(folder, 'writer.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      conditions: ['@sluice/source'],
      logLevel: 'silent',
    });
    const run = (n: number): Promise<number | null> =>
      new Promise((resolve) => {
        spawn(process.execPath, ['--input-type=module', '-e', script, String(n)], { stdio: 'inherit' }).on(
          'exit',
          resolve,
        );
      });
    expect(await Promise.all([1, 2, 3, 4].map(run))).toEqual([0, 0, 0, 0]);
    expect(readDevHosts(path).size).toBe(160);
  });
});
