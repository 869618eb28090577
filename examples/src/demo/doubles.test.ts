/** The demo's claims can fail: with a node that misbehaves it must say which one, and exit with 1. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const DEMO = fileURLToPath(new URL('./main.ts', import.meta.url));
const LIMIT_MS = 150_000;

function demo(double: string): Promise<{ readonly exit: number; readonly output: string }> {
  const args = ['-C', '@sluice/source', '--import', 'tsx', DEMO, '--node-double', double];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: LIMIT_MS, maxBuffer: 1 << 24 }, (error, output) => {
      resolve({ exit: error ? Number(error.code) : 0, output });
    });
  });
}

describe.concurrent('the demo against a node that misbehaves', () => {
  it('a node that writes plaintext down fails the two scans and nothing else', { timeout: LIMIT_MS }, async () => {
    const { exit, output } = await demo('leaks');
    expect(exit).toBe(1);
    expect(output.match(/FAIL +\d+\. .*/g)).toEqual([
      expect.stringContaining('what the node stored of it'),
      expect.stringContaining('no word of the person is in the node'),
    ]);
    expect(output).toContain('2 fail');
  });

  it('a node that serves after the revoke fails the claims about the revoke', { timeout: LIMIT_MS }, async () => {
    const { exit, output } = await demo('serves-after-revoke');
    expect(exit).toBe(1);
    const failed = output.match(/FAIL +\d+\. .*/g) ?? [];
    expect(failed.length).toBeGreaterThan(0);
    for (const claim of failed) expect(claim).toContain('revoke');
  });
});
