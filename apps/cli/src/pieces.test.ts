import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SluiceError } from '@sluice/client';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { findId, jsonObject, whole } from './arguments.ts';
import { EXIT, EXIT_MEANINGS, tellError, UsageError } from './exit-codes.ts';
import { lockFolder } from './folder-lock.ts';
import { type Io, systemIo } from './io.ts';
import { createProgram, run } from './main.ts';
import { createOutput, escaped, plain, schemaName, table, who } from './output.ts';
import { cut, widthOf, wrapped } from './text-width.ts';

const SYSTEM_IO = systemIo();

function quietIo(more: Partial<Io> = {}): { readonly io: Io; readonly out: string[]; readonly err: string[] } {
  const out: string[] = [];
  const err: string[] = [];
  const said = { out: (t: string) => void out.push(t), err: (t: string) => void err.push(t) };
  const nobody = { canAsk: false, outIsTerminal: false, errIsTerminal: false, columns: () => 80, env: {} };
  return { io: { ...SYSTEM_IO, ...nobody, ...said, ...more }, out, err };
}

describe('errors', () => {
  it('end with the exit code of their table, and keep their code and sentence', () => {
    const exits = (
      ['OFFLINE', 'STORE_LOCKED', 'NODE_INTERNAL', 'UNKNOWN_DID', 'WRONG_PASSPHRASE', 'FIELD_NOT_ALLOWED'] as const
    ).map((code) => tellError(new SluiceError(code)).exitCode);
    expect(exits).toEqual([EXIT.offline, EXIT.locked, EXIT.failed, EXIT.invalid, EXIT.refused, EXIT.refused]);
    expect(tellError(new UsageError('So.'))).toEqual({ error: 'USAGE', message: 'So.', exitCode: EXIT.usage });
    expect(tellError(new Error('x'))).toMatchObject({ error: 'UNEXPECTED', exitCode: EXIT.failed });
    expect(new Set(EXIT_MEANINGS.map(([code]) => code))).toEqual(new Set(Object.values(EXIT)));
  });

  it('are documented as they are', () => {
    const page = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| (\d+) \| (.+) \|$/gm)].map(([, code, meaning]) => [Number(code), meaning]);
    expect(rows).toEqual(EXIT_MEANINGS);
  });

  it('of the file system are sentences', () => {
    const missing = (() => {
      try {
        return readFileSync('/no/such/file');
      } catch (cause) {
        return tellError(cause);
      }
    })();
    expect(missing).toEqual({
      error: 'SYSTEM',
      message: 'There is no file /no/such/file. Check the name.',
      exitCode: EXIT.invalid,
    });
  });
});

describe('arguments', () => {
  it('an id may be shortened to a unique beginning of four letters', () => {
    const ids = ['abcd1111', 'abcd2222', 'ef001122'];
    expect([findId(ids, 'ef00'), findId(ids, 'abcd2'), findId(ids, 'ef0'), findId(ids, 'ef0012')]).toEqual([
      'ef001122',
      'abcd2222',
      undefined,
      undefined,
    ]);
    expect(() => findId(ids, 'abcd')).toThrow('abcd is the beginning of several: abcd1111, abcd2222');
    expect(findId(['abcd', 'abcd1'], 'abcd')).toBe('abcd');
  });

  it('JSON is an object, and numbers are whole', () => {
    expect(jsonObject('{"a":1}', '--filter')).toEqual({ a: 1 });
    expect(() => jsonObject('[1]', '--filter')).toThrow('--filter is not a JSON object.');
    expect(() => jsonObject('{', '--filter')).toThrow('single quotes');
    expect([whole(1)('7'), whole(0)('0')]).toEqual([7, 0]);
    for (const bad of ['0', '-1', '1.5', 'x', '', '1e3']) expect(() => whole(1)(bad), bad).toThrow('whole number');
  });
});

describe('output', () => {
  it('results are lines for people or JSON for programs; notes never mix with JSON', () => {
    const { io, out, err } = quietIo();
    createOutput(true, io).result({ a: 1 }, () => 'human');
    createOutput(true, io).note('quiet');
    createOutput(false, io).result({ a: 1 }, () => 'human');
    expect([out, err]).toEqual([['{"a":1}\n', 'human\n'], []]);
  });

  it('progress is drawn on a terminal only, and within its width', () => {
    const piped = quietIo();
    for (const output of [createOutput(false, piped.io), createOutput(true, quietIo({ errIsTerminal: true }).io)]) {
      const bar = output.progress('Importing', 10);
      bar.to(5);
      bar.end();
    }
    expect(piped.err).toEqual([]);
    const { io, err } = quietIo({ errIsTerminal: true, columns: () => 40 });
    let nowMs = 0;
    const bar = createOutput(false, io, () => nowMs).progress('Importing a file', 1000);
    nowMs = 500;
    bar.to(500);
    bar.end();
    const drawn = err.join('').split('\r');
    expect(drawn.some((line) => line.includes('############'))).toBe(true);
    for (const line of drawn) expect(line.replace('\u001b[K', '').length).toBeLessThan(40);
    expect(drawn.at(-1)).toBe('\u001b[K');
  });

  it('tables are cut to a terminal, whole elsewhere, and say what to do when empty', () => {
    const rows = [['1', 'x'.repeat(25), 'y'.repeat(25)]];
    const { io } = quietIo({ outIsTerminal: true, columns: () => 50 });
    const narrow = createOutput(false, io).table(['n', 'a', 'b'], rows, 'none').split('\n');
    for (const line of narrow) expect(line.length).toBeLessThanOrEqual(50);
    expect(narrow[1]).toMatch(/^1 {2}x+… {2}y+…$/);
    expect(createOutput(false, quietIo().io).table(['n', 'a', 'b'], rows, 'none')).toContain('y'.repeat(25));
    expect(createOutput(false, quietIo().io).table(['n'], [], 'Nothing yet. Do this.')).toBe('Nothing yet. Do this.');
    expect(table([['a'], ['long']])).toBe('a\nlong');
    const crowded = [['1', 'x'.repeat(60), 'y'.repeat(60)]];
    const blocks = createOutput(false, quietIo({ outIsTerminal: true, columns: () => 40 }).io);
    expect(blocks.table(['n', 'a', 'bee', 'c'], [['1', ...'xyz'].map((c) => c.repeat(30))], 'none')).toBe(
      `n    ${'1'.repeat(30)}\na    ${'x'.repeat(30)}\nbee  ${'y'.repeat(30)}\nc    ${'z'.repeat(30)}`,
    );
    const long = createOutput(false, io).table(['n', 'a', 'bee'], crowded, 'none').split('\n');
    expect(long).toHaveLength(2);
    for (const line of long) expect(line.length).toBeLessThanOrEqual(50);
  });

  it('columns stand in line whatever the writing, since wide characters count twice and marks not at all', () => {
    const names = ['Zoe\u0308', '张伟', 'محمد', '👨\u200d👩\u200d👧', '❤\ufe0f', '🇳🇱', '👍🏽', 'ｗｉｄｅ'];
    expect(names.map(widthOf)).toEqual([3, 4, 4, 2, 2, 2, 2, 8]);
    const lines = table(names.map((name) => [name, '|'])).split('\n');
    expect(new Set(lines.map((line) => widthOf(line.slice(0, line.indexOf('|')))))).toEqual(new Set([10]));
    expect([cut('张伟是谁', 6), cut('张伟是谁', 8), cut('a\u0308bc', 2)]).toEqual(['张伟…', '张伟是谁', 'a\u0308…']);
  });

  it('what is agreed to is wrapped and never cut', () => {
    const text =
      'clinic.example may read 张伟是谁，不知道，没有人知道 and https://clinic.example/a/very/long/path/that/goes/on';
    const lines = wrapped(text, 24, '  ').split('\n');
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(24);
    expect(lines[0]).toBe('  clinic.example may');
    expect(lines.slice(1).every((line) => line.startsWith('    '))).toBe(true);
    expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
    expect([wrapped('张伟是', 1), wrapped('', 10, '> '), wrapped('a b', 80)]).toEqual(['张伟\n  是', '> ', 'a b']);
    expect(createOutput(false, quietIo().io).wrap(text)).toBe(text);
  });

  it('joiners stay where writing needs them, and are shown where they would hide', () => {
    for (const text of ['👨\u200d👩\u200d👧', '🧑🏽\u200d⚕\ufe0f', 'می\u200cخواهم', 'क्\u200dष'])
      expect(plain(text)).toBe(text);
    expect(plain('pay\u200dpal\u200c')).toBe('pay\uFFFDpal\uFFFD');
  });

  it('text from elsewhere cannot steer a terminal', () => {
    expect(plain('a\u001b[31mb\u202e\u2028\u009b')).toBe('a\uFFFD[31mb\uFFFD\uFFFD\uFFFD');
    const json = JSON.stringify({ a: 'x\u009b2J\u202e\u{E0041}' }, null, 1);
    expect(escaped(json)).toMatch(/^[\n -~]+$/);
    expect(JSON.parse(escaped(json))).toEqual(JSON.parse(json));
    const { io, out } = quietIo();
    createOutput(true, io).result({ a: '\u009b2J' }, () => '');
    expect(out).toEqual(['{"a":"\\u009b2J"}\n']);
    expect(who('did:web:clinic.example%1B')).not.toContain('\u001b');
    expect(schemaName('https://schemas.sluice.example/social/contact/v0.1.0/schema.json')).toBe('social/contact');
  });
});

describe('a data folder', () => {
  it('is locked by one node, and taken over from one that was killed', () => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-lock-'));
    try {
      const unlock = lockFolder(directory);
      expect(() => lockFolder(directory)).toThrow(`Process ${process.pid} runs a node on this folder`);
      unlock();
      writeFileSync(join(directory, 'node.lock'), 'not a number');
      lockFolder(directory)();
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('help', () => {
  const leaves = (command: Command, path: readonly string[] = []): [string, Command, readonly string[]][] =>
    command.commands.length === 0
      ? [[path.join(' '), command, path]]
      : command.commands.flatMap((c) => leaves(c, [...path, c.name()]));
  const commands = leaves(createProgram(quietIo().io));

  it('names every command of the documentation', () => {
    const names = new Set(commands.map(([name]) => name));
    const vault = 'create restore import records inbox accept decline approve requests share grants revoke watch';
    const app = 'init connect send request sync serve disconnect';
    for (const name of ['node', ...vault.split(' ').map((n) => `vault ${n}`), ...app.split(' ').map((n) => `app ${n}`)])
      expect(names, name).toContain(name);
  });

  it.each(commands)(
    'sluice %s --help ends with 0, names its options and shows examples',
    async (name, command, path) => {
      const { io, out } = quietIo();
      expect(await run(['node', 'sluice', ...path, '--help'], io)).toBe(EXIT.ok);
      const text = out.join('');
      for (const option of command.options) expect(text, option.flags).toContain(option.long);
      const [, examples = ''] = text.split('Examples:');
      expect(examples).toMatch(new RegExp(`sluice (--\\S+ (\\./\\S+ )?)*${name}`));
      for (const flag of examples.matchAll(/ (--[a-z-]+)/g))
        expect(
          [...command.options, ...createProgram(io).options].map((o) => o.long),
          flag[1],
        ).toContain(flag[1]);
    },
  );

  it.each(['docs/cli.md', 'docs/data-sharing.md', 'README.md'])('the commands of %s are as they are here', (page) => {
    const text = readFileSync(new URL(`../../../${page}`, import.meta.url), 'utf8');
    const { options } = createProgram(SYSTEM_IO);
    for (const [line, rest = ''] of text.matchAll(/^sluice (?:--dev )?(.*)$/gm)) {
      const found = commands.find(([name]) => rest === name || rest.startsWith(`${name} `));
      expect(found, line).toBeDefined();
      const known = [...(found?.[1].options ?? []), ...options].map((o) => o.long);
      for (const [, flag] of rest.matchAll(/ (--[a-z-]+)/g)) expect(known, line).toContain(flag);
    }
    for (const [, name] of text.matchAll(/`sluice (?:--dev )?((?:node|vault|app)[a-z ]*?)`/g))
      expect(
        commands.map(([known]) => known),
        name,
      ).toContain(name);
  });

  it('of the program lists the exit codes, and no command at all is wrong use', async () => {
    const { io, out } = quietIo();
    expect(await run(['node', 'sluice', '--help'], io)).toBe(EXIT.ok);
    for (const [code, meaning] of EXIT_MEANINGS) expect(out.join('')).toContain(`${code}  ${meaning}`);
    expect(await run(['node', 'sluice', 'vault'], io)).toBe(EXIT.usage);
  });

  it('wrong use is told once; with --json as JSON', async () => {
    for (const [args, said] of [
      [['vault', 'no-such'], "unknown command 'no-such'"],
      [['vault', 'accept'], "missing required argument 'id'"],
      [['vault', 'records', 'note', '--limit', 'x'], 'whole number'],
      [['vault'], 'Name a command'],
      [['--as-of', '2026-01-01', 'vault', 'inbox'], 'only with --dev'],
      [['vault', 'inbox'], 'A passphrase is needed'],
      [['node', '--policy', 'closed'], 'Allowed choices are open, invite'],
      [['node'], '--url'],
    ] as const) {
      const { io, out, err } = quietIo();
      const home = join(tmpdir(), `sluice-none-${process.pid}`);
      expect(await run(['node', 'sluice', '--home', home, '--json', ...args], io)).toBe(EXIT.usage);
      rmSync(home, { recursive: true, force: true });
      expect([out, err.length]).toEqual([[], 1]);
      expect(JSON.parse(err[0] ?? '')).toMatchObject({ error: 'USAGE', exitCode: EXIT.usage });
      expect(err[0]).toContain(said.replaceAll('"', '\\"'));
    }
  });
});
