/** Parts of a push after everything that needs no database: shapes, hashes and signatures (spec/push.md PUSH-11, PUSH-12). */

import { err, ok, type Result, type SpaceId, type StreamId, type Tag } from '@sluice/core/base';
import type { VerifyKey } from '@sluice/core/crypto';
import { type CtlEntry, checkBatch, ctlStreamId, openCtlEntry, openSeal, sealHash } from '@sluice/core/stream';
import {
  decodeHeader,
  type Entry,
  ENTRY_KIND,
  type ErrorCode,
  type FeedEntry,
  type Header,
  type ParsedSeal,
  type PushPart,
  streamKind,
} from '@sluice/core/wire';

/** A part of a push whose form, seal and signatures were checked. */
export type CheckedPart =
  | {
      readonly type: 'sealed';
      readonly stream: StreamId;
      readonly kind: 'own' | 'lane';
      readonly seal: ParsedSeal;
      readonly sealBytes: Uint8Array;
      readonly sealHash: Uint8Array;
      readonly entries: readonly Entry[];
      readonly headers: readonly Header[];
    }
  | { readonly type: 'ctl'; readonly entries: readonly Entry[]; readonly parsed: readonly CtlEntry[] }
  | {
      readonly type: 'feed';
      readonly stream: StreamId;
      readonly head: number;
      readonly term: number;
      readonly entries: readonly FeedEntry[];
      readonly headers: readonly Header[];
    }
  | { readonly type: 'trim'; readonly stream: StreamId; readonly upTo: number }
  | { readonly type: 'drain'; readonly tags: readonly Tag[] };

/** Checks the parts of one push by one requester. The first failing part decides. */
export function checkParts(
  space: SpaceId,
  parts: readonly PushPart[],
  requester: VerifyKey,
): Result<readonly CheckedPart[], ErrorCode> {
  const out: CheckedPart[] = [];
  for (const part of parts) {
    const checked = checkPart(space, part, requester);
    if (!checked.ok) return checked;
    out.push(checked.value);
  }
  return ok(out);
}

function checkPart(space: SpaceId, part: PushPart, requester: VerifyKey): Result<CheckedPart, ErrorCode> {
  switch (part.type) {
    case 'sealed':
      return checkSealed(part, requester);
    case 'ctl': {
      const parsed: CtlEntry[] = [];
      for (const entry of part.entries) {
        const ctl = openCtlEntry(ctlStreamId(space), entry);
        if (!ctl.ok) return err(ctl.error.type === 'malformed' ? 'MALFORMED' : 'BAD_CTL');
        parsed.push(ctl.value);
      }
      return ok({ type: 'ctl', entries: part.entries, parsed });
    }
    case 'feed': {
      const headers: Header[] = [];
      for (const entry of part.entries) {
        const header = decodeHeader(entry.header);
        if (!header.ok || header.value.kind === ENTRY_KIND.CTL) return err('MALFORMED');
        headers.push(header.value);
      }
      if (streamKind(part.stream) !== 'feed' || headers.length === 0) return err('MALFORMED');
      return ok({ ...part, headers });
    }
    case 'trim':
      return streamKind(part.stream) === 'lane' ? ok(part) : err('MALFORMED');
    case 'drain':
      return ok(part);
  }
}

function checkSealed(
  part: Extract<PushPart, { type: 'sealed' }>,
  requester: VerifyKey,
): Result<CheckedPart, ErrorCode> {
  const kind = streamKind(part.stream);
  if (kind !== 'own' && kind !== 'lane') return err('MALFORMED');
  const seal = openSeal(part.seal, requester);
  if (!seal.ok) return err(seal.error.type === 'malformed' ? 'MALFORMED' : 'BAD_SEAL');
  if (seal.value.stream.some((byte, i) => byte !== part.stream[i])) return err('BAD_SEAL');
  const headers = checkBatch(seal.value, part.entries);
  if (!headers.ok) return err(headers.error.type === 'malformed' ? 'MALFORMED' : 'BAD_SEAL');
  if (headers.value.some((h) => h.kind !== ENTRY_KIND.PUT && h.kind !== ENTRY_KIND.DEL)) return err('MALFORMED');
  return ok({
    type: 'sealed',
    stream: part.stream,
    kind,
    seal: seal.value,
    sealBytes: part.seal,
    sealHash: sealHash(part.seal),
    entries: part.entries,
    headers: headers.value,
  });
}
