/** Where things are and how a run is set up: the global options of every command. */

import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Clock, createSystemClock } from '@sluice/core/base';
import type { Platform } from '@sluice/client';
import { createNodePlatform, readDevHosts } from '@sluice/client/node';
import { readPassphrase } from './ask.ts';
import { UsageError } from './exit-codes.ts';
import type { Io } from './io.ts';
import { createOutput, type Output } from './output.ts';

export type GlobalOptions = {
  readonly home?: string;
  readonly store?: string;
  readonly dev?: boolean;
  readonly asOf?: string;
  readonly passphraseFile?: string;
  readonly json?: boolean;
  readonly argon2?: string;
};

export type Settings = {
  readonly io: Io;
  readonly home: string;
  readonly store: (kind: 'vault' | 'app' | 'agent') => string;
  readonly dev: boolean;
  readonly devHosts: string;
  readonly clock: Clock;
  /** Moves the clock of a long-running command; only with --dev. */
  readonly setAsOf: (iso: string) => void;
  readonly platform: Platform;
  readonly output: Output;
  /** The passphrase of the store; of a new one it is asked for twice. */
  readonly passphrase: (use: 'open' | 'new') => Promise<string>;
  readonly argon2?: { readonly memoryKiB: number; readonly passes: number; readonly lanes: number };
};

/** Argon2's cost in tests: fast, and refused without --dev. */
const FLOOR = { memoryKiB: 1024, passes: 1, lanes: 1 };

/** Reads the global options. Throws UsageError where they do not fit together. */
export function readSettings(options: GlobalOptions, io: Io): Settings {
  const home = options.home ?? io.env.SLUICE_HOME ?? join(homedir(), '.sluice');
  const dev = options.dev ?? false;
  if (!dev && options.asOf !== undefined) throw new UsageError('--as-of moves the clock and works only with --dev.');
  if (!dev && options.argon2 !== undefined)
    throw new UsageError('--argon2 weakens the passphrase and works only with --dev.');
  const devHosts = join(home, 'dev-hosts');
  let offsetMs = options.asOf === undefined ? 0 : instantOf(options.asOf) - Date.now();
  const clock = createSystemClock(() => offsetMs);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  return {
    io,
    home,
    store: (kind) => options.store ?? join(home, kind),
    dev,
    devHosts,
    clock,
    setAsOf: (iso) => {
      offsetMs = instantOf(iso) - Date.now();
    },
    platform: createNodePlatform(dev ? { clock, devHosts: () => readDevHosts(devHosts) } : { clock }),
    output: createOutput(options.json ?? false, io),
    passphrase: (use) => readPassphrase(io, options.passphraseFile, use === 'new'),
    ...(options.argon2 === 'floor' ? { argon2: FLOOR } : {}),
  };
}

function instantOf(iso: string): number {
  const at = Date.parse(iso);
  if (Number.isNaN(at))
    throw new UsageError('--as-of takes a date or an instant, e.g. 2026-04-15 or 2026-04-15T12:00:00Z.');
  return at;
}
