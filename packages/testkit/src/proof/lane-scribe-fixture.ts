/** Writes into a grantee's lane by hand, with its real key, what no client of ours would write. */

import { LinkRefusal, openLiveLink, type LiveLink, type ReceivedGrant } from '@sluice/client';
import { type JsonValue, type StreamId, systemRandom, type Tag, toTag, utf8ToBytes } from '@sluice/core/base';
import { type AeadKey, type SigningKey, writerId } from '@sluice/core/crypto';
import { laneKey } from '@sluice/core/grant';
import { createSeal, NO_SEAL, sealEntry, sealHash } from '@sluice/core/stream';
import { encodePush, ENTRY_KIND, type Header, type PushPart } from '@sluice/core/wire';
import type { TestNetwork } from '../test-network.ts';

/** One entry: its plaintext, and what is to be different about it. */
export type ByHand = {
  readonly body: Uint8Array;
  readonly header?: Partial<Header>;
  /** Another key than the lane's. */
  readonly key?: AeadKey;
  /** Another stream in what is authenticated. */
  readonly sealedFor?: StreamId;
};
export type LaneScribe = {
  readonly link: LiveLink;
  /** The next seal of the lane; `skip` leaves numbers out, `again` uses those of the last one, `by` is another signer. */
  readonly part: (
    entries: readonly ByHand[],
    more?: { readonly skip?: number; readonly again?: boolean; readonly by?: SigningKey; readonly stream?: StreamId },
  ) => PushPart;
  /** What the node says: `stored` or its refusal. A part that it refuses does not count as written. */
  readonly push: (...parts: readonly PushPart[]) => Promise<string>;
  /** Seals and pushes. */
  readonly write: (...entries: readonly ByHand[]) => Promise<string>;
};

/** The body of a write, of any form. */
export const bodyOf = (body: JsonValue): Uint8Array => utf8ToBytes(JSON.stringify(body));
/** An update of some fields. */
export const update = (
  id: string,
  set: { readonly [name: string]: JsonValue },
  remove: readonly string[] = [],
): ByHand => ({
  body: bodyOf({ i: id, o: 'update', s: set, r: [...remove], v: 0 }),
});

/** Opens the lane of a received grant. The caller closes the link. */
export async function openLaneScribe(net: TestNetwork, grant: ReceivedGrant): Promise<LaneScribe> {
  const { lane, pairwise, space, node } = grant;
  if (!lane) throw new Error('the grant lets nobody write');
  const link = openLiveLink(net.platform, node, pairwise);
  await link.ready(10_000);
  type End = { readonly n: number; readonly hash: Uint8Array };
  let end: End = { n: 0, hash: NO_SEAL };
  let before = end;
  let sealed = end;

  const part: LaneScribe['part'] = (items, { skip = 0, again = false, by = pairwise, stream = lane } = {}) => {
    const from = again ? before : end;
    const writer = writerId(by.publicKey);
    const entries = items.map(({ body, header, key, sealedFor }, i) => {
      const n = from.n + skip + i + 1;
      const hlc = { ms: Math.trunc(net.clock.nowMs()), counter: i };
      const tag: Tag = toTag(systemRandom(16));
      const head: Header = {
        writer,
        n,
        hlc,
        tag,
        kind: ENTRY_KIND.PUT,
        epoch: 1,
        superseded: [],
        expiresMs: null,
        ...header,
      };
      return sealEntry(key ?? laneKey(grant.key), sealedFor ?? stream, head, body, systemRandom);
    });
    const seal = createSeal(by, stream, from.n + skip + 1, entries, from.hash);
    before = from;
    sealed = { n: from.n + skip + entries.length, hash: sealHash(seal) };
    return { type: 'sealed', stream, entries, seal };
  };
  const push: LaneScribe['push'] = async (...parts) => {
    const kept = sealed;
    try {
      await link.push(space, encodePush(parts));
      end = kept;
      return 'stored';
    } catch (cause) {
      if (cause instanceof LinkRefusal) return cause.code;
      throw cause;
    }
  };
  return { link, part, push, write: (...entries) => push(part(entries)) };
}
