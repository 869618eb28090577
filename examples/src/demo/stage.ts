/** What every act of the demo shares. */

import type { Scan } from './bundle-scan.ts';
import { type Claims, dim, heading } from './claims.ts';
import type { NodeContents } from './node-contents.ts';
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

/** Opens an act: what it is called, and what happens in it. */
export function openAct({ print }: Stage, title: string, story: string): void {
  print(heading(`\n${title}`));
  print(`  ${story}`);
}

/** Shows what the node has of the step that was just played: kinds, sizes and sealed bytes, which is all it can see. */
export async function showNode({ node, print }: Stage): Promise<void> {
  const { held, fresh } = await node.call<NodeContents>('contents');
  const counts = new Map<string, { entries: number; sizeBytes: number }>();
  for (const { kind, sizeBytes } of fresh) {
    const count = counts.get(kind) ?? { entries: 0, sizeBytes: 0 };
    counts.set(kind, { entries: count.entries + 1, sizeBytes: count.sizeBytes + sizeBytes });
  }
  const news = [...counts].map(([kind, c]) => `${c.entries} ${kind} (${c.sizeBytes} bytes)`).join(', ');
  const all = Object.entries(held)
    .map(([kind, n]) => `${n} ${kind}`)
    .join(', ');
  print(dim(`    node + ${news || 'nothing new'}; in all ${all}`));
  const last = fresh.at(-1);
  if (last)
    print(dim(`         e.g. ${last.kind}: tag ${last.tag}, body ${last.body}... and no more to read than that`));
}
