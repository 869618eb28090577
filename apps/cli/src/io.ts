/** What a run reads and writes: streams, terminal, environment, signals. One value, so that tests run commands in their own process. */

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export type Io = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** The whole of the standard input. */
  readonly input: () => string;
  /** Lines of the standard input as they come; none from a terminal. Returns how to stop. */
  readonly lines: (onLine: (line: string) => void) => () => void;
  /** Whether somebody can be asked. */
  readonly canAsk: boolean;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** Width of the terminal in columns. */
  readonly columns: () => number;
  readonly env: { readonly [name: string]: string | undefined };
  /** Calls back at the first SIGINT or SIGTERM; a second one ends the process. Returns how to stop listening. */
  readonly onStop: (stop: () => void) => () => void;
};

const NARROWEST = 40;

/** The process's own streams. */
export function systemIo(): Io {
  const isDumb = process.env.TERM === 'dumb';
  // Whoever reads our output may leave early (`| head`); that is no failure.
  process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
    if (cause.code === 'EPIPE') process.exit(0);
    throw cause;
  });
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    input: () => readFileSync(0, 'utf8'),
    lines: (onLine) => {
      if (process.stdin.isTTY === true) return () => undefined;
      const reader = createInterface({ input: process.stdin });
      reader.on('line', onLine);
      return () => reader.close();
    },
    canAsk: process.stdin.isTTY === true && process.stderr.isTTY === true,
    outIsTerminal: process.stdout.isTTY === true && !isDumb,
    errIsTerminal: process.stderr.isTTY === true && !isDumb,
    columns: () => Math.max(NARROWEST, process.stderr.columns ?? process.stdout.columns ?? 80),
    env: process.env,
    onStop: (stop) => {
      const done = (): void => {
        process.off('SIGINT', run);
        process.off('SIGTERM', run);
      };
      const run = (): void => {
        done();
        stop();
      };
      process.on('SIGINT', run);
      process.on('SIGTERM', run);
      return done;
    },
  };
}
