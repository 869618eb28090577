/**
 * The cards of the owner's devices, as the checkpoints that bore them: a card names its owner, and stays sealed on a grantee's disk.
 * Must not know whether a card is good, and whose it is.
 */

import { base64urlToBytes, bytesToBase64url, bytesToHex } from '@sluice/core/base';
import { type Checkpoint, type FeedKeys, openCheckpoint } from '@sluice/core/grant';
import { decodeHeader, type Entry, type Header } from '@sluice/core/wire';

/** Checkpoints that bear a card, header and sealed body in base64url, by their writer in hex. */
export type KeptCards = { readonly [writer: string]: readonly [header: string, body: string] };

/** Keeps the card that a checkpoint bears. */
export const keepCard = (kept: KeptCards, { writer }: Header, { header, body }: Entry): KeptCards => ({
  ...kept,
  [bytesToHex(writer)]: [bytesToBase64url(header), bytesToBase64url(body)],
});

/** Finds the card of a checkpoint: in it, or in one by the same writer that was kept. */
export function createCardReader(keysOf: (epoch: number) => FeedKeys | undefined): {
  readonly of: (kept: KeptCards, head: Header, checkpoint: Checkpoint) => Uint8Array | undefined;
} {
  /** Opened before, by what was kept. */
  const known = new Map<string, Checkpoint>();
  const open = ([header, body]: readonly [string, string]): Checkpoint | undefined => {
    const entry = { header: base64urlToBytes(header), body: base64urlToBytes(body) };
    const head = decodeHeader(entry.header);
    const keys = head.ok ? keysOf(head.value.epoch) : undefined;
    const opened = head.ok && keys ? openCheckpoint(keys, entry, head.value) : undefined;
    if (opened?.ok) known.set(body, opened.value);
    return opened?.ok ? opened.value : undefined;
  };
  return {
    of: (kept, { writer }, { card }) => {
      if (card) return card;
      const place = kept[bytesToHex(writer)];
      return (place && (known.get(place[1]) ?? open(place)))?.card ?? undefined;
    },
  };
}
