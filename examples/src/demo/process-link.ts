/** Calls into a child process: one step at a time, each answered with a value or an error. */

import { type ChildProcess, fork } from 'node:child_process';

export type Step = { readonly step: string; readonly args: Record<string, unknown> };
export type StepAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: string };

export type ProcessLink = {
  readonly name: string;
  readonly pid: number;
  readonly call: <T>(step: string, args?: Record<string, unknown>) => Promise<T>;
  readonly stop: () => Promise<void>;
};

/** Starts a child and waits for its first word. */
export async function startProcess(name: string, script: URL, args: readonly string[]): Promise<ProcessLink> {
  const child: ChildProcess = fork(script, [...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: process.execArgv,
  });
  let waiting: { resolve: (value: unknown) => void; reject: (cause: Error) => void } | undefined;
  let chain: Promise<unknown> = Promise.resolve();
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.on('message', (answer: StepAnswer) => {
    const current = waiting;
    waiting = undefined;
    if (answer.ok) current?.resolve(answer.value);
    else current?.reject(new Error(`${name}: ${answer.error}`));
  });
  void exited.then(() => waiting?.reject(new Error(`${name} stopped early`)));
  const ask = <T>(message: Step | undefined): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      waiting = { resolve: resolve as (value: unknown) => void, reject };
      if (message) child.send(message);
    });
  await ask(undefined);
  return {
    name,
    pid: child.pid ?? 0,
    call: <T>(step: string, args: Record<string, unknown> = {}) => {
      const next = chain.then(() => ask<T>({ step, args }));
      chain = next.catch(() => undefined);
      return next;
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** The child's side: runs the named steps until the parent stops it. */
export function serveSteps(
  steps: { readonly [name: string]: (args: never) => Promise<unknown> },
  onStop: () => Promise<void>,
): void {
  process.on('message', (message: Step) => {
    const step = steps[message.step];
    // Both ends are this program, which gives each step what it takes; a type common to all steps there is none.
    const run = step ? step(message.args as never) : Promise.reject(new Error(`there is no step ${message.step}`));
    run.then(
      (value) => process.send?.({ ok: true, value: value ?? null }),
      (cause: unknown) =>
        process.send?.({ ok: false, error: cause instanceof Error ? `${cause.message}` : String(cause) }),
    );
  });
  process.once('SIGTERM', () => void onStop().finally(() => process.exit(0)));
  process.send?.({ ok: true, value: 'ready' });
}
