/** What an agent takes from a feed that it reads back: authentic entries alone, since the rest is the node's word. Pure. */

import type { Tag } from '@sluice/core/base';
import {
  type Checkpoint,
  type FeedKeys,
  type Memo,
  openCheckpoint,
  openFeedDelete,
  openMemo,
} from '@sluice/core/grant';
import { ENTRY_KIND, type Header, type PageEntry } from '@sluice/core/wire';

/** What one authentic entry of a feed says. */
export type ReadBack =
  | { readonly type: 'put'; readonly tag: Tag; readonly memo: Memo }
  | { readonly type: 'delete'; readonly tag: Tag }
  | { readonly type: 'checkpoint'; readonly checkpoint: Checkpoint; readonly ends: boolean };

/** Reads one entry; undefined when it does not open under the grant's key, number and kind included. */
export function readBack(keys: FeedKeys, item: PageEntry, head: Header): ReadBack | undefined {
  const { header, body, memo } = item;
  switch (head.kind) {
    case ENTRY_KIND.PUT: {
      const opened = memo && openMemo(keys, header, memo);
      return opened?.ok ? { type: 'put', tag: head.tag, memo: opened.value } : undefined;
    }
    case ENTRY_KIND.DEL:
      return body && openFeedDelete(keys, { header, body }).ok ? { type: 'delete', tag: head.tag } : undefined;
    case ENTRY_KIND.CKPT:
    case ENTRY_KIND.END: {
      const opened = body && openCheckpoint(keys, { header, body }, head);
      if (!opened?.ok) return undefined;
      return { type: 'checkpoint', checkpoint: opened.value, ends: head.kind === ENTRY_KIND.END };
    }
    default:
      return undefined;
  }
}
