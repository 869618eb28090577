/** A received grant in use: the grantee's live view of what one owner reveals, and its way to write back. */

import { equalBytes, isJsonObject, type JsonObject } from '@sluice/core/base';
import { type AeadKey, toAeadKey, type VerifyKey } from '@sluice/core/crypto';
import { filterFailureText, parseFilter } from '@sluice/core/filter';
import { endsAtMs, type GrantTerms, laneKey, openGrantKey, openKeyChange } from '@sluice/core/grant';
import { parseSpan, subtractSpan } from '@sluice/core/filter';
import { openDeviceCard } from '@sluice/core/identity';
import { decodeHeader, ENTRY_KIND, type PageEntry } from '@sluice/core/wire';
import type { OpenAccount } from '../account/account.ts';
import { packBytes, unpackBytes } from '../account/keychain.ts';
import { DEFAULT_LIMIT, type FindOptions } from '../datastore.ts';
import { SluiceError } from '../errors.ts';
import type { LiveLink } from '../link/live-link.ts';
import type { LoadedSchema } from '../schema/index.ts';
import type { FeedAlarm, FeedChange } from './feed/feed-change.ts';
import { openFeedReader } from './feed/feed-reader.ts';
import type { FeedStatus } from './feed/reader-state.ts';
import type { GrantFacts } from './grant-facts.ts';
import type { ReceivedGrant } from './grant-item.ts';
import { type LaneWriter, openLaneWriter, type PendingWrite, type WriteVerdict } from './lane/lane-writer.ts';
import { createOverlay } from './lane/overlay.ts';
import { assertWritable, type DraftWrite } from './lane/write-check.ts';
import { createReadVersions } from './read-versions.ts';

/**
 * The records that a grant reveals, with this grantee's own pending writes on top. Where the grant lets write each has a `_rev`, which names
 * the version that is shown here; the owner's own `_rev` is not revealed.
 */
export type GrantDatastore = {
  /** One record by its id in this grant. */
  readonly get: (id: string) => Promise<JsonObject | undefined>;
  readonly getOne: (filter?: JsonObject, options?: Omit<FindOptions, 'limit'>) => Promise<JsonObject | undefined>;
  /** Finds records, 20 at most unless `limit` says otherwise. Errors: BAD_FILTER. */
  readonly getMany: (filter?: JsonObject, options?: FindOptions) => Promise<JsonObject[]>;
  /** How many records there are, whatever limit `getMany` has. */
  readonly count: () => Promise<number>;
  /**
   * Writes a record back: a new one without `_id`, or a changed one that was read here. It shows at once, is sent when the node can be
   * reached, and stays pending until the owner's verdict. A document that says nothing new writes nothing: `n` is then undefined.
   *
   * A document with the `_rev` it was read with writes what differs from that version, whatever has changed since; REV_CONFLICT when somebody
   * else has changed one of these fields, or when that version is not known any more. Without `_rev` it is taken as the whole record.
   *
   * A write that the owner would refuse for certain, by what is known here, is refused at once and takes no number. Errors: NOT_ALLOWED (the
   * grant does not let write), OPERATION_NOT_ALLOWED, FIELD_NOT_ALLOWED, OUTSIDE_FILTER, INVALID_RECORD, OVER_QUOTA, NOT_FOUND, REV_CONFLICT,
   * REVOKED, EXPIRED, OFFLINE (the lane was never reached), STORE_FULL.
   */
  readonly save: (document: JsonObject) => Promise<{ readonly id: string; readonly n: number | undefined }>;
  /** Deletes a record of the owner's. Errors as `save`. */
  readonly delete: (id: string) => Promise<{ readonly n: number }>;
};

/** A grant as the one who received it uses it. */
export type GrantHandle = {
  readonly id: string;
  readonly owner: string;
  /** As they are now: the owner may change them, within what was asked. */
  readonly terms: GrantTerms;
  /** What the owner signed of these terms: a document of type `sluice/receipt/1` (spec/receipt.md). */
  readonly receipt: Uint8Array;
  readonly status: () => GrantHandleStatus;
  /** Calls back for every record that enters, changes or leaves. Returns how to stop. */
  readonly changes: (callback: (change: FeedChange) => void) => () => void;
  readonly onStatus: (callback: (status: FeedStatus) => void) => () => void;
  readonly onAlarm: (callback: (alarm: FeedAlarm) => void) => () => void;
  /** The records revealed, and the way to write back where the grant allows it. */
  readonly datastore: () => GrantDatastore;
  /** Resolves at the next verified checkpoint. Errors: REVOKED, EXPIRED, TAMPERED, OFFLINE after `timeoutMs`. */
  readonly upToDate: (timeoutMs?: number) => Promise<void>;
  /** Own writes that have no effect at the owner yet, oldest first. */
  readonly pending: () => readonly PendingWrite[];
  /**
   * When the owner's side was last heard of: the instant of the last checkpoint, and since when the oldest write waits for it, in ms. While all of the
   * owner's devices are away and no agent is up, the one stands still and the other grows old.
   */
  readonly lastSeen: () => { readonly atMs?: number; readonly pendingSinceMs?: number };
  /** Calls back for every verdict on an own write. */
  readonly onVerdict: (callback: (verdict: WriteVerdict) => void) => () => void;
  /** Resolves with the verdict on one write; refusals are known of the last 10,000. Errors: REVOKED, OFFLINE after `timeoutMs`. */
  readonly settled: (n: number, timeoutMs?: number) => Promise<WriteVerdict>;
  /** Takes narrowed terms; nothing flows before. A grant on the terms that were asked needs none. */
  readonly accept: () => Promise<void>;
  /** Gives the grant up: the copy is wiped, and the owner is told. */
  readonly drop: () => Promise<void>;
  /** Removes the local copy; returns how many records it held. */
  readonly wipe: () => number;
  /** Bytes of this grant on its connection so far. */
  readonly traffic: LiveLink['traffic'];
  readonly close: () => void;
};
/** How a received grant stands: `offered` until narrowed terms are accepted, else as its feed does. */
export type GrantHandleStatus = FeedStatus | 'offered';

/** What a handle tells the owner, through whoever opened it. */
export type GrantAnswers = {
  readonly accept: () => Promise<void>;
  /** Notes that the grant is given up, with how many records are wiped by that. */
  readonly dropping: (wiped: number) => void;
  /** Tells the owner of it. */
  readonly dropped: () => Promise<void>;
  /** The terms as they are now: the owner may have changed them. */
  readonly terms: () => GrantTerms;
  /** The receipt of these terms. */
  readonly receipt: () => Uint8Array;
  /** Calls back when the terms have changed. Returns how to stop. */
  readonly onTerms: (listener: () => void) => () => void;
  /** Tells the owner that the copy is gone since the grant ended. */
  readonly wiped: (wiped: number, reason: 'revoked' | 'expired') => void;
  /** The handle was closed: whoever opens the grant again gets another. */
  readonly closed: () => void;
};

/** A write that is about to be made, and who is told when it is. */
type Draft = DraftWrite & { readonly onWritten?: (n: number) => void };

const UP_TO_DATE_MS = 60_000;

/** Opens a received grant over a connection that speaks as its pairwise key. */
export function openGrantHandle(
  account: OpenAccount,
  grant: ReceivedGrant,
  ownerKey: VerifyKey,
  schema: LoadedSchema,
  link: LiveLink,
  facts: GrantFacts,
  answers: GrantAnswers,
): GrantHandle {
  const { clock, random } = account.platform;
  const { db } = account.store;
  const { grantId, terms } = grant;
  // One card speaks for many checkpoints: it is verified once, and again when it may have expired.
  let known: { readonly signer: Uint8Array; readonly card: Uint8Array; readonly untilMs: number } | undefined;
  const isOwnersDevice = (signer: Uint8Array, card: Uint8Array, atMs: number): boolean => {
    // A clock that was set back must not make a card look as if it had not been issued yet.
    const nowMs = Math.max(clock.nowMs(), atMs);
    if (known && nowMs < known.untilMs && equalBytes(known.signer, signer) && equalBytes(known.card, card)) return true;
    const opened = openDeviceCard(card, ownerKey, { did: grant.owner, nowMs, use: 'feeds' });
    if (!opened.ok || !equalBytes(opened.value.deviceKey, signer)) return false;
    known = { signer, card, untilMs: opened.value.expiresAt ?? Number.POSITIVE_INFINITY };
    return true;
  };

  /** By epoch; the first came with the grant, later ones in the feed. */
  const keys = new Map<number, AeadKey>([[1, grant.key]]);
  for (const { name, fact } of facts.all(grantId, 'key/')) keys.set(Number(name), toAeadKey(unpackBytes(fact.key)));
  const takeKeys = async (entries: readonly PageEntry[]): Promise<boolean> => {
    for (const { header, body } of entries) {
      const head = decodeHeader(header);
      if (!head.ok || head.value.kind !== ENTRY_KIND.KEY || !body) continue;
      const under = keys.get(head.value.epoch);
      const change = under && openKeyChange({ stream: grant.feed, key: under }, { header, body });
      if (!change?.ok || change.value.epoch !== head.value.epoch + 1) return false;
      if (keys.has(change.value.epoch)) continue;
      if (!isOwnersDevice(change.value.signer, change.value.card, head.value.hlc.ms)) return false;
      const key = await openGrantKey(grant.hpke, grant.feed, change.value);
      if (!key) return false;
      facts.note(grantId, `key/${change.value.epoch}`, { key: packBytes(key) });
      keys.set(change.value.epoch, key);
    }
    return true;
  };

  const lane: LaneWriter | undefined =
    grant.lane &&
    openLaneWriter({
      db,
      clock,
      random,
      link,
      space: grant.space,
      lane: grant.lane,
      pairwise: grant.pairwise,
      keyOf: (epoch) => {
        const key = keys.get(epoch);
        return key && laneKey(key);
      },
      epoch: () => Math.max(...keys.keys()),
      perDay: () => answers.terms().write?.perDay ?? 0,
      verdicts: () => reader.state().verdicts,
      onSent: () => reader.decided(),
    });
  const overlay = lane && createOverlay(lane, schema.id);
  const versions = createReadVersions(schema.merges);
  // Nobody saves what is only read.
  const given = (record: JsonObject): JsonObject => (lane ? versions.give(record) : record);
  const keep = terms.retention === undefined ? undefined : parseSpan(terms.retention);
  const nowMs = clock.nowMs();
  const reader = openFeedReader({
    db,
    link,
    clock,
    space: grant.space,
    feed: grant.feed,
    keyOf: (epoch) => keys.get(epoch),
    takeKeys,
    formats: schema.formats,
    isOwnersDevice,
    ...(overlay ? { overlay } : {}),
    keepMs: keep ? nowMs - subtractSpan(nowMs, keep) : 0,
    endsAtMs: () => endsAtMs(answers.terms()),
    onWiped: (wiped, reason) => {
      versions.forget();
      if (reason !== 'dropped') answers.wiped(wiped, reason);
    },
  });
  reader.onVerdict(({ n, accepted }) => accepted || versions.refused(n));
  reader.start();
  // What was given up stays so, also when the process ended before the copy was gone.
  if (facts.get(grantId, 'dropped')) reader.drop(answers.dropping);
  lane?.start();
  const stopTerms = answers.onTerms(reader.termsChanged);
  let closed = false;

  const find = (filter: JsonObject = {}, options: FindOptions = {}): JsonObject[] => {
    const parsed = parseFilter(filter, schema.formats);
    if (!parsed.ok) throw new SluiceError('BAD_FILTER', filterFailureText(parsed.error));
    return reader.query(parsed.value, { limit: DEFAULT_LIMIT, ...options }).map(given);
  };
  const isOffered = (): boolean => grant.narrowed && !facts.get(grantId, 'accepted');
  const isReader = terms.access !== 'write';
  const ownLane = (): LaneWriter => {
    if (!lane) throw new SluiceError('NOT_ALLOWED', 'This grant does not let write');
    return lane;
  };
  /** Makes a write when the lane can be reached; what is refused is refused without waiting for that. Undefined when there is nothing to write. */
  const write = async (to: LaneWriter, draftOf: () => Draft | undefined): Promise<number | undefined> => {
    const checked = (): Draft | undefined => {
      const status = reader.status();
      if (status === 'revoked' || status === 'dropped') throw new SluiceError('REVOKED');
      if (status === 'expired') throw new SluiceError('EXPIRED');
      const draft = draftOf();
      if (draft) assertWritable(answers.terms(), schema, draft, link.nodeMs());
      return draft;
    };
    if (!to.isReached() && checked()) await to.reached(UP_TO_DATE_MS);
    const draft = checked();
    if (!draft) return undefined;
    const n = to.write(draft.write);
    draft.onWritten?.(n);
    reader.wrote(draft.write.id);
    return n;
  };
  const shownRecord = (id: string): JsonObject | undefined => {
    const record = reader.get(id);
    if (!record && isReader) throw new SluiceError('NOT_FOUND');
    return record;
  };

  return {
    id: grantId,
    owner: grant.owner,
    get terms() {
      return answers.terms();
    },
    get receipt() {
      return answers.receipt();
    },
    status: () => (isOffered() && reader.status() === 'backfill' ? 'offered' : reader.status()),
    changes: (callback) =>
      reader.onChange((change) => callback(change.record ? { ...change, record: given(change.record) } : change)),
    onStatus: reader.onStatus,
    onAlarm: reader.onAlarm,
    datastore: () => ({
      get: async (id) => {
        const record = reader.get(id);
        return record && given(record);
      },
      getOne: async (filter, options = {}) => find(filter, { ...options, limit: 1 })[0],
      getMany: async (filter, options) => find(filter, options),
      count: async () => reader.count(),
      save: async (document) => {
        if (!isJsonObject(document)) throw new SluiceError('INVALID_RECORD', 'A record is a JSON object');
        const { _id } = document;
        const isNew = typeof _id !== 'string';
        const writer = ownLane();
        const id = isNew ? writer.newId() : _id;
        const n = await write(writer, () => {
          const before = isNew ? undefined : shownRecord(id);
          const change = versions.changeBy(document, before);
          const { set, remove, base } = change;
          if (before && Object.keys(set).length + remove.length === 0) return undefined;
          const operation = isNew ? 'insert' : 'update';
          const onWritten = (n: number): void => versions.wrote(n, document, change);
          return { before, write: { id, operation, set, remove, ...(base ? { base } : {}) }, onWritten };
        });
        return { id, n };
      },
      delete: async (id) => {
        const n = await write(ownLane(), () => ({
          before: shownRecord(id),
          write: { id, operation: 'delete', set: {}, remove: [] },
        }));
        return { n: n as number };
      },
    }),
    upToDate: async (timeoutMs = UP_TO_DATE_MS) => {
      if (isOffered()) throw new SluiceError('NOT_ACCEPTED');
      await reader.upToDate(timeoutMs);
    },
    pending: () => lane?.pending() ?? [],
    lastSeen: () => {
      const { asOfMs } = reader.state();
      const [oldest] = lane?.pending() ?? [];
      return { ...(asOfMs === 0 ? {} : { atMs: asOfMs }), ...(oldest ? { pendingSinceMs: oldest.atMs } : {}) };
    },
    onVerdict: reader.onVerdict,
    settled: (n, timeoutMs = UP_TO_DATE_MS) => reader.settled(n, timeoutMs),
    accept: answers.accept,
    drop: async () => {
      reader.drop(answers.dropping);
      lane?.close();
      await answers.dropped();
    },
    wipe: () => {
      versions.forget();
      return reader.wipe();
    },
    traffic: link.traffic,
    close: () => {
      if (closed) return;
      closed = true;
      stopTerms();
      lane?.close();
      reader.close();
      link.close();
      answers.closed();
    },
  };
}
