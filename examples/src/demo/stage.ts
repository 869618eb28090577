/** What every act of the demo shares. */

import type { Scan } from './bundle-scan.ts';
import type { Claims } from './claims.ts';
import type { ProcessLink } from './process-link.ts';

export type Stage = {
  readonly directory: string;
  readonly devHosts: string;
  readonly bundleFile: string;
  readonly scan: Scan;
  readonly print: (line: string) => void;
  readonly claims: Claims;
  readonly node: ProcessLink;
  readonly person: ProcessLink;
  readonly did: string;
  readonly phrase: string;
  /** Starts an application at a host name. */
  readonly app: (host: string) => Promise<ProcessLink>;
  readonly startPerson: (name: string, store: string, atMs: number) => Promise<ProcessLink>;
  readonly all: () => readonly ProcessLink[];
  readonly asOfMs: number;
};

/** Moves every process to one time, each confirming before the demo goes on. */
export async function moveClocks(stage: Stage, atMs: number): Promise<void> {
  for (const process of stage.all()) await process.call('setClock', { atMs });
}
