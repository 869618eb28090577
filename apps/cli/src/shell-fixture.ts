/** For tests: runs commands in this process, over streams that are kept, in a home folder of their own. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Io } from './io.ts';
import { run } from './main.ts';

export type Ran = { readonly code: number; readonly out: string; readonly err: string };
export type RunOptions = {
  readonly input?: string;
  /** Width of a terminal that shows output and errors; without it there is none. */
  readonly columns?: number;
  readonly env?: Io['env'];
};
export type Running = {
  readonly out: () => string;
  readonly err: () => string;
  /** Resolves with the first match in what was said so far or is said later. */
  readonly said: (pattern: RegExp) => Promise<RegExpExecArray>;
  /** Sends the line to the command's input. */
  readonly type: (line: string) => void;
  /** What a signal does. */
  readonly stop: () => void;
  readonly ended: Promise<Ran>;
};
export type Shell = {
  readonly home: string;
  readonly start: (args: readonly string[], options?: RunOptions) => Running;
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<Ran>;
  /** Runs with --json and gives back the last value; throws when the command failed. */
  readonly json: <T>(args: readonly string[], options?: RunOptions) => Promise<T>;
  readonly close: () => Promise<void>;
};

const PASSPHRASE = 'a passphrase for tests';
const NARROW = 80;

export function openShell(): Shell {
  const home = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
  const all: Running[] = [];

  const start = (args: readonly string[], options: RunOptions = {}): Running => {
    let out = '';
    let err = '';
    const stops: (() => void)[] = [];
    const listeners = new Set<() => void>();
    const lines = new Set<(line: string) => void>();
    const heard = (): void => {
      for (const listener of [...listeners]) listener();
    };
    const io: Io = {
      out: (text) => {
        out += text;
        heard();
      },
      err: (text) => {
        err += text;
        heard();
      },
      input: () => options.input ?? '',
      lines: (onLine) => {
        lines.add(onLine);
        return () => lines.delete(onLine);
      },
      canAsk: false,
      outIsTerminal: options.columns !== undefined,
      errIsTerminal: options.columns !== undefined,
      columns: () => options.columns ?? NARROW,
      env: { SLUICE_PASSPHRASE: PASSPHRASE, ...options.env },
      onStop: (stop) => {
        stops.push(stop);
        return () => stops.splice(stops.indexOf(stop), 1);
      },
    };
    const given = ['node', 'sluice', '--home', home, '--dev', '--argon2', 'floor', ...args];
    const running: Running = {
      out: () => out,
      err: () => err,
      said: (pattern) =>
        new Promise((resolve, reject) => {
          const look = (): boolean => {
            const found = pattern.exec(out) ?? pattern.exec(err);
            if (found) resolve(found);
            return found !== null;
          };
          if (look()) return;
          listeners.add(look);
          void running.ended.then(
            () => look() || reject(new Error(`it ended without saying ${pattern}: ${out}${err}`)),
          );
        }),
      type: (line) => {
        for (const listener of lines) listener(line);
      },
      stop: () => {
        for (const stop of stops.splice(0)) stop();
      },
      ended: run(given, io).then((code) => ({ code, out, err })),
    };
    all.push(running);
    return running;
  };
  const runOnce: Shell['run'] = (args, options) => start(args, options).ended;
  return {
    home,
    start,
    run: runOnce,
    json: async <T>(args: readonly string[], options?: RunOptions) => {
      const ran = await runOnce(['--json', ...args], options);
      if (ran.code !== 0) throw new Error(`${args.join(' ')} ended with ${ran.code}: ${ran.err}`);
      return JSON.parse(ran.out.trim().split('\n').at(-1) ?? 'null') as T;
    },
    close: async () => {
      for (const running of all) running.stop();
      await Promise.all(all.map((r) => r.ended));
      rmSync(home, { recursive: true, force: true });
    },
  };
}
