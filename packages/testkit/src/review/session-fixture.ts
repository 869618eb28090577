/** A session in a silo, and a scribe that writes with its key by hand what no client of ours would write. */

import {
  type AppSession,
  type LiveLink,
  Network,
  openLiveLink,
  type SessionInfo,
  type SiloContext,
  VaultAccount,
} from '@sluice/client';
import { bytesToHex, type StreamId, systemRandom, type Tag, utf8ToBytes } from '@sluice/core/base';
import {
  type AeadKey,
  collectionKey,
  type EpochKey,
  recordTag,
  type StreamTagKey,
  streamId,
  streamTagKey,
  writerId,
} from '@sluice/core/crypto';
import { createSeal, NO_SEAL, sealEntry, sealHash } from '@sluice/core/stream';
import { encodePush, ENTRY_KIND, type EntryKind, type HeadRef, type PushPart, STREAM_KIND } from '@sluice/core/wire';
import type { Persona, TestNetwork } from '../test-network.ts';

export type Let = { readonly session: AppSession; readonly info: SessionInfo; readonly context: SiloContext };

/** Has the owner let the app into its silo. */
export async function letIn(
  owner: Persona,
  app: Persona,
  name = 'Game',
  options: { readonly sessionMs?: number } = {},
): Promise<Let> {
  const pending = await app.account.connect.request(name);
  const [outcome, info] = await Promise.all([
    pending.answer(),
    owner.account.connect.approve(pending.document, options),
  ]);
  if (outcome.status !== 'connected') throw new Error(outcome.status);
  const account = new VaultAccount(outcome.session, app.account.schemas);
  return { session: outcome.session, info, context: await Network.connect({ account, context: { name } }) };
}

export type ByHand = {
  readonly tag: Tag;
  readonly body: Uint8Array;
  readonly kind?: EntryKind;
  readonly superseded?: readonly HeadRef[];
};
export type CollectionByHand = {
  readonly stream: StreamId;
  readonly key: AeadKey;
  readonly tagOf: (id: string) => Tag;
};

export type Scribe = {
  readonly writer: ReturnType<typeof writerId>;
  readonly collection: (name: string) => CollectionByHand;
  /** One seal of entries that goes on where the last one of the stream ended. */
  readonly part: (stream: StreamId, key: AeadKey, items: readonly ByHand[], epoch?: number) => PushPart;
  /** Rejects with the node's refusal. */
  readonly push: (parts: readonly PushPart[]) => Promise<void>;
  readonly link: LiveLink;
};

/** Writes with a session's key. The caller closes the link. */
export async function createScribe(
  net: TestNetwork,
  { engine }: { readonly engine: Pick<SiloContext['engine'], 'keys' | 'writer'> },
): Promise<Scribe> {
  const { keys, writer } = engine;
  const link = openLiveLink(net.platform, keys.node, writer);
  await link.ready(10_000);
  const ends = new Map<string, { readonly n: number; readonly hash: Uint8Array }>();
  const self = writerId(writer.publicKey);
  return {
    writer: self,
    link,
    collection: (name) => {
      const stream = streamId(STREAM_KIND.own, keys.tagSecret, name);
      const tagKey: StreamTagKey = streamTagKey(keys.tagSecret, stream);
      const key = collectionKey(keys.epochs.get(1) as EpochKey, name) as unknown as AeadKey;
      return { stream, key, tagOf: (id) => recordTag(tagKey, id) };
    },
    part: (stream, key, items, epoch = 1) => {
      const end = ends.get(bytesToHex(stream)) ?? { n: 0, hash: NO_SEAL };
      const entries = items.map(({ tag, body, kind = ENTRY_KIND.PUT, superseded = [] }, i) => {
        const at = { writer: self, n: end.n + 1 + i, hlc: { ms: net.clock.nowMs(), counter: i } };
        const header = { ...at, tag, kind, epoch, superseded, expiresMs: null };
        return sealEntry(key, stream, { ...header, hlc: { ...at.hlc, ms: Math.trunc(at.hlc.ms) } }, body, systemRandom);
      });
      const seal = createSeal(writer, stream, end.n + 1, entries, end.hash);
      ends.set(bytesToHex(stream), { n: end.n + entries.length, hash: sealHash(seal) });
      return { type: 'sealed', stream, entries, seal };
    },
    push: async (parts) => void (await link.push(keys.space, encodePush(parts))),
  };
}

/** The body of a record with one field. */
export const bodyOf = (id: string, more: object = {}): Uint8Array =>
  utf8ToBytes(JSON.stringify({ v: 1, i: id, f: { level: 1 }, ...more }));
