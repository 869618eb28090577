/** What an agent takes from a feed that it reads back: authentic entries alone, since the rest is the node's word. Pure. */

import type { Tag } from '@sluice/core/base';
import {
  type Checkpoint,
  type FeedKeys,
  type KeyChange,
  type LaneVerdicts,
  type Memo,
  openCheckpoint,
  openFeedDelete,
  openKeyChange,
  openMemo,
  openVerdicts,
} from '@sluice/core/grant';
import { ENTRY_KIND, type Header, type PageEntry } from '@sluice/core/wire';

/** What one authentic entry of a feed says. */
export type ReadBack =
  | { readonly type: 'put'; readonly tag: Tag; readonly memo: Memo }
  | { readonly type: 'delete'; readonly tag: Tag }
  | { readonly type: 'verdicts'; readonly verdicts: LaneVerdicts }
  | { readonly type: 'key'; readonly change: KeyChange }
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
    case ENTRY_KIND.VERDICT: {
      const opened = body && openVerdicts(keys, { header, body });
      return opened?.ok ? { type: 'verdicts', verdicts: opened.value } : undefined;
    }
    case ENTRY_KIND.KEY: {
      const opened = body && openKeyChange(keys, { header, body });
      return opened?.ok ? { type: 'key', change: opened.value } : undefined;
    }
    default:
      return undefined;
  }
}
