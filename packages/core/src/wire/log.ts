/** Logs: what a node numbers, pages and notifies by. A space has one log for own, ctl and inbox each, and one per feed and lane. */

import type { StreamId } from '../base/ids.ts';
import { base64urlToBytes, bytesToBase64url } from '../base/bytes.ts';

/** Names one log of a space. */
export type LogName =
  | { readonly type: 'own' }
  | { readonly type: 'ctl' }
  | { readonly type: 'inbox' }
  | { readonly type: 'stream'; readonly stream: StreamId };

/** Writes a log's name as it stands in URLs and frames: `own`, `ctl`, `inbox` or the stream id in base64url. */
export const formatLogName = (log: LogName): string =>
  log.type === 'stream' ? bytesToBase64url(log.stream) : log.type;

/** Reads a log's name, or undefined. Only feeds and lanes (kind bytes 4 and 5) have a log of their own. */
export function parseLogName(text: string): LogName | undefined {
  if (text === 'own' || text === 'ctl' || text === 'inbox') return { type: text };
  if (!/^[A-Za-z0-9_-]{22}$/.test(text)) return undefined;
  try {
    const stream = base64urlToBytes(text);
    return stream.length === 16 && (stream[0] === 4 || stream[0] === 5)
      ? { type: 'stream', stream: stream as StreamId }
      : undefined;
  } catch {
    return undefined;
  }
}
