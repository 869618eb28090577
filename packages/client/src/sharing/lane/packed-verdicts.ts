/** Verdicts in the JSON of a local store, where bytes are text. */

import { bytesToHex, hexToBytes, type JsonObject } from '@sluice/core/base';
import type { LaneVerdicts } from '@sluice/core/grant';

/** Turns verdicts into JSON. */
export const packVerdicts = ({ entries, ...rest }: LaneVerdicts): JsonObject => ({
  ...rest,
  entries: entries.map((e) => [e.n, bytesToHex(e.hash)]),
});

/** Reads what `packVerdicts` made; undefined where there is nothing. The store is our own writing. */
export function unpackVerdicts(packed: unknown): LaneVerdicts | undefined {
  if (!packed) return undefined;
  const { entries, ...rest } = packed as Omit<LaneVerdicts, 'entries'> & {
    readonly entries: readonly (readonly [number, string])[];
  };
  return { ...rest, entries: entries.map(([n, hash]) => ({ n, hash: hexToBytes(hash) })) };
}
