import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '@sluice/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { createOutput, plain, table } from './output.ts';

const BIN = fileURLToPath(new URL('../bin/sluice.js', import.meta.url));
const BUNDLE = fileURLToPath(new URL('../../../examples/data/bundle.json', import.meta.url));

type Ran = { readonly code: number | null; readonly out: string; readonly err: string };

describe('the pieces', () => {
  it('errors end with the exit code of their table', () => {
    expect(exitCodeOf(new SluiceError('OFFLINE'))).toBe(EXIT.offline);
    expect(exitCodeOf(new SluiceError('STORE_LOCKED'))).toBe(EXIT.locked);
    expect(exitCodeOf(new SluiceError('NODE_INTERNAL'))).toBe(EXIT.failed);
    expect(exitCodeOf(new Error('x'))).toBe(EXIT.failed);
  });

  it('results are lines for people or JSON for programs; notes never mix with JSON', () => {
    const out: string[] = [];
    const err: string[] = [];
    const streams = { out: (t: string) => void out.push(t), err: (t: string) => void err.push(t), isTerminal: false };
    createOutput(true, streams).result({ a: 1 }, () => 'human');
    createOutput(true, streams).note('quiet');
    createOutput(false, streams).result({ a: 1 }, () => 'human');
    expect(out).toEqual(['{"a":1}\n', 'human\n']);
    expect(err).toEqual([]);
    expect(
      table([
        ['a', 'b'],
        ['long', 'c'],
      ]),
    ).toBe('a     b\nlong  c');
    expect(plain('a\u001b[31mb\u202e')).toBe('a\uFFFD[31mb\uFFFD');
  });
});

describe('the command line against a real node', () => {
  let home: string;
  let node: ChildProcess;
  const started: ChildProcess[] = [];

  const start = (args: readonly string[]): ChildProcess => {
    const child = spawn(process.execPath, [BIN, '--home', home, '--dev', '--argon2', 'floor', '--json', ...args], {
      env: { ...process.env, SLUICE_PASSPHRASE: 'a passphrase for tests' },
    });
    started.push(child);
    return child;
  };
  const run = (args: readonly string[], input = ''): Promise<Ran> =>
    new Promise((resolve) => {
      const child = start(args);
      let out = '';
      let err = '';
      child.stdout?.on('data', (d: Buffer) => {
        out += d.toString();
      });
      child.stderr?.on('data', (d: Buffer) => {
        err += d.toString();
      });
      child.on('close', (code) => resolve({ code, out, err }));
      child.stdin?.end(input);
    });
  const ready = (child: ChildProcess): Promise<void> =>
    new Promise((resolve) =>
      child.stdout?.on('data', (d: Buffer) => {
        if (d.toString().includes('ready')) resolve();
      }),
    );
  const json = (ran: Ran) => JSON.parse(ran.out.trim().split('\n').at(-1) ?? 'null');

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
    node = start(['node', '--data', join(home, 'node'), '--log-level', 'silent']);
    await ready(node);
  });
  afterAll(() => {
    for (const child of started) if (child.exitCode === null) child.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true });
  });

  it('create, import, query, restore, and an app that sends, is answered, and follows', {
    timeout: 90_000,
  }, async () => {
    const created = json(await run(['vault', 'create', '--node', 'https://node.sluice.test'])) as {
      did: string;
      phrase: string;
    };
    expect(created.phrase.split(' ')).toHaveLength(12);
    const imported = json(await run(['vault', 'import', BUNDLE]));
    expect(imported.imported).toMatchObject({ 'fhir/immunization': 11, 'fhir/observation': 12 });
    expect(imported.broken).toHaveLength(1);
    const found = json(
      await run(['vault', 'records', 'fhir/immunization', '--filter', '{"occurrenceDateTime":{"$gte":"2026"}}']),
    );
    expect(found).toHaveLength(2);

    const phraseFile = join(home, 'words');
    writeFileSync(phraseFile, created.phrase);
    const restored = await run([
      '--store',
      join(home, 'phone'),
      'vault',
      'restore',
      '--node',
      'https://node.sluice.test',
      '--phrase-file',
      phraseFile,
    ]);
    expect(json(restored)).toEqual({ did: created.did });
    expect(
      json(await run(['--store', join(home, 'phone'), 'vault', 'records', 'fhir/immunization', '--limit', '100'])),
    ).toHaveLength(11);

    expect(
      json(await run(['app', 'init', '--origin', 'https://clinic.example', '--node', 'https://node.sluice.test'])).did,
    ).toBe('did:web:clinic.example');
    await ready(start(['app', 'serve']));
    const payload = JSON.stringify({ data: [{ schema: 'note', name: 'From the clinic', content: 'Drink enough' }] });
    const sent = json(await run(['app', 'send', created.did, '--data', '-', '--message', 'A note'], payload)) as {
      id: string;
    };
    const inbox = json(await run(['vault', 'inbox'])) as { id: string; from: string }[];
    expect(inbox.map((i) => [i.id, i.from])).toEqual([[sent.id, 'did:web:clinic.example']]);
    expect(json(await run(['vault', 'accept', sent.id])).saved).toHaveLength(1);
    expect(json(await run(['app', 'sent', sent.id]))).toMatchObject({ status: 'accepted' });

    const asking = run([
      'app',
      'sync',
      created.did,
      '--schema',
      'note',
      '--fields',
      'content',
      '--purpose',
      'To follow up',
      '--wait',
      '60',
    ]);
    let open: { id: string }[] = [];
    while (open.length === 0) open = json(await run(['vault', 'requests']));
    await run(['vault', 'approve', open[0]?.id ?? '']);
    const granted = json(await asking) as { grantId: string; records: { content: string }[] };
    expect(granted.records.map((r) => r.content)).toEqual(['Drink enough']);
    expect((await run(['vault', 'revoke', granted.grantId])).code).toBe(EXIT.ok);
    expect(json(await run(['vault', 'grants']))[0].status).toBe('revoked');
  });

  it('wrong use and wrong input say what to do and end with their code', { timeout: 60_000 }, async () => {
    const wrong = await run(['--store', join(home, 'none'), 'vault', 'records', 'note']);
    expect([wrong.code, JSON.parse(wrong.err).error]).toEqual([EXIT.invalid, 'NOT_FOUND']);
    expect((await run(['vault', 'no-such-command'])).code).toBe(EXIT.usage);
    expect(
      (
        await run(
          ['--store', join(home, 'x'), 'vault', 'restore', '--node', 'https://node.sluice.test'],
          'not twelve words',
        )
      ).code,
    ).toBe(EXIT.invalid);
    expect((await run(['--store', join(home, 'y'), 'vault', 'create', '--node', 'https://nowhere.example'])).code).toBe(
      EXIT.offline,
    );
    const help = await run(['vault', '--help']);
    expect([help.code, help.out.includes('approve')]).toEqual([EXIT.ok, true]);
  });
});
