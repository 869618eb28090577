/** What a node has in its database: read beside the running node, by kind of stream, without any key. */

import { join } from 'node:path';
import { STREAM_KIND } from '@sluice/core/wire';
import { openDb } from '@sluice/sqlite';

type Kind = keyof typeof STREAM_KIND;
export type NodeContents = {
  /** Entries by kind of stream, as they are now. */
  readonly held: { readonly [kind in Kind]?: number };
  /** Entries that came since the last look and are still there. */
  readonly fresh: readonly {
    readonly kind: Kind;
    readonly tag: string;
    readonly body: string;
    readonly sizeBytes: number;
  }[];
};

const KINDS = new Map<number, Kind>(Object.entries(STREAM_KIND).map(([name, byte]) => [byte, name as Kind]));
const SHOWN = 12;

/** Opens the database of a node's folder to look at it; each look says what is new since the one before. */
export function openNodeContents(directory: string): () => NodeContents {
  const db = openDb(join(directory, 'node.db'));
  let seen = 0;
  return () => {
    const held: { [kind in Kind]?: number } = {};
    const fresh: NodeContents['fresh'][number][] = [];
    const rows = db
      .sql(
        'SELECT e.id, s.stream, e.tag, e.body, length(e.header) + length(e.body) AS size FROM entry e JOIN stream s ON s.id = e.stream ORDER BY e.id',
      )
      .all();
    for (const row of rows) {
      const kind = KINDS.get((row.stream as Uint8Array)[0] ?? -1);
      if (kind === undefined) continue;
      held[kind] = (held[kind] ?? 0) + 1;
      if (Number(row.id) <= seen) continue;
      fresh.push({ kind, tag: hex(row.tag), body: hex(row.body), sizeBytes: Number(row.size) });
    }
    seen = Math.max(seen, ...rows.map((r) => Number(r.id)));
    return { held, fresh };
  };
}

const hex = (bytes: unknown): string =>
  Buffer.from((bytes ?? []) as Uint8Array)
    .subarray(0, SHOWN)
    .toString('hex');
