/** A child process of a fault test: asked step by step, killed at any moment, and heard to the end. Must not know what it runs. */

import { fork } from 'node:child_process';
import { basename } from 'node:path';

export type Child = {
  readonly pid: number;
  /** Runs a step of the child. Rejects when the child fails it, or ends before it answers. */
  readonly ask: <T>(step: string, args?: Readonly<Record<string, unknown>>) => Promise<T>;
  /** Calls back for each line the child has written, also for those found in the pipe after its end. */
  readonly onLine: (listener: (line: string) => void) => void;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Ends the child at once and resolves when everything it wrote was read. */
  readonly kill: () => Promise<void>;
};
type Answer = { readonly id: number; readonly value?: unknown; readonly error?: string };
type Waiting = { readonly resolve: (value: unknown) => void; readonly reject: (cause: Error) => void };

/**
 * Has the C library give freed memory back at once. By default it keeps what it likes, 10 MB more or less from run to run, and a process's
 * size would tell of that instead of what the process holds.
 */
const GIVE_BACK = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '131072' };

/** Starts a program of this folder. It takes steps once it is loaded. */
export function startChild(path: string, args: readonly string[]): Child {
  const program = basename(path, '.mjs');
  const child = fork(path, [...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    execArgv: ['--expose-gc'],
    env: { ...process.env, ...GIVE_BACK },
  });
  const waiting = new Map<number, Waiting>();
  const listeners = new Set<(line: string) => void>();
  let nextId = 1;
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) for (const listener of listeners) listener(line);
  });
  child.on('message', (answer: Answer) => {
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.error === undefined) asked?.resolve(answer.value);
    else asked?.reject(new Error(`${program}: ${answer.error}`));
  });
  // `close` comes after the exit and after the end of the pipe.
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  void closed.then(() => {
    for (const asked of waiting.values()) asked.reject(new Error(`${program} ended`));
  });
  return {
    pid: child.pid ?? 0,
    ask: <T>(step: string, args: Readonly<Record<string, unknown>> = {}) =>
      new Promise<T>((resolve, reject) => {
        const id = nextId++;
        waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
        child.send({ id, step, args });
      }),
    onLine: (listener) => void listeners.add(listener),
    signal: (signal) => void child.kill(signal),
    kill: () => {
      child.kill('SIGKILL');
      return closed;
    },
  };
}

/** The child's side: runs the named steps until the parent is gone. */
export function serveSteps(steps: { readonly [name: string]: (args: never) => Promise<unknown> }): void {
  process.on('message', ({ id, step, args }: { id: number; step: string; args: unknown }) => {
    const run = steps[step];
    const done = run ? run(args as never) : Promise.reject(new Error(`there is no step ${step}`));
    done.then(
      (value) => process.send?.({ id, value: value ?? null }),
      (cause: unknown) => process.send?.({ id, error: cause instanceof Error ? cause.message : String(cause) }),
    );
  });
  process.once('disconnect', () => process.exit(0));
}
