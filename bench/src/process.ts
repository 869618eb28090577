/** Child processes of the benchmark, called one step at a time. */

import { type ChildProcess, fork } from 'node:child_process';

export type Client = {
  readonly step: <T>(name: string, args?: Record<string, unknown>) => Promise<T>;
  readonly stop: () => void;
};
export type NodeHandle = {
  readonly port: number;
  readonly usage: () => Promise<{ rss: number; peakRss: number; disk: number; cpuUs: number }>;
  /** Processor time so far, in ms. */
  readonly cpuMs: () => Promise<number>;
  readonly stop: () => Promise<void>;
};

const next = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    const fail = (code: number | null): void => reject(new Error(`a benchmark process stopped with ${code}`));
    child.once('exit', fail);
    child.once('message', (message) => {
      child.off('exit', fail);
      resolve(message as T);
    });
  });

const script = (name: string): URL =>
  new URL(`./${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);

/** Starts a node process on its own folder. */
export async function startNode(directory: string, synchronous: string): Promise<NodeHandle> {
  const child = fork(script('node-process'), [directory, synchronous], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const { port } = await next<{ port: number }>(child);
  return {
    port,
    usage: () => {
      child.send({ command: 'usage' });
      return next(child);
    },
    cpuMs: async () => {
      child.send({ command: 'cpu' });
      return (await next<{ cpuMs: number }>(child)).cpuMs;
    },
    stop: async () => {
      const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.send({ command: 'stop' });
      await exited;
    },
  };
}

/** Starts a client process. */
export async function startClient(hostsFile: string, synchronous: string): Promise<Client> {
  const child = fork(script('client-process'), [hostsFile, synchronous], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await next(child);
  return {
    step: async <T>(name: string, args: Record<string, unknown> = {}) => {
      child.send({
        step: name,
        args: Object.fromEntries(
          Object.entries(args).map(([k, v]) => [k, typeof v === 'string' ? v : JSON.stringify(v)]),
        ),
      });
      const answer = await next<{ ok: true; value: T } | { ok: false; error: string }>(child);
      if (!answer.ok) throw new Error(`${name}: ${answer.error}`);
      return answer.value;
    },
    stop: () => {
      if (child.connected) child.disconnect();
    },
  };
}
