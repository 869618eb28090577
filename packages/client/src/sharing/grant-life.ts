/** What an owner decides of a grant once it is given: pause, revoke, new key, and the grantee's writes; and what the grantee answers. */

import {
  base64urlToBytes,
  bytesToHex,
  equalBytes,
  hexToBytes,
  type JsonObject,
  type JsonValue,
  toRowId,
} from '@sluice/core/base';
import {
  openAcceptance,
  openAttestation,
  openCertificate,
  openRevokeAck,
  type ProofDeps,
  type RevokeCertificate,
} from '@sluice/core/grant';
import { certificateToJson } from '@sluice/core/grant';
import { sha256 } from '@sluice/core/crypto';
import type { OpenAccount } from '../account/account.ts';
import { SluiceError, unlessFull } from '../errors.ts';
import type { InboxItem, Mailbox } from '../messaging/mailbox.ts';
import type { ActivityLog } from './activity-log.ts';
import { type ChangeOutcome, createTermsChange } from './change-terms.ts';
import type { GivenGrants } from './given-grants.ts';
import { laneWriter } from './lane/made-write.ts';
import { takeBack, type UndoneWrite } from './lane/take-back.ts';
import type { WriteRecord } from './lane/write-log.ts';
import { originsIn, type RecordOrigins } from './lane/write-origins.ts';
import type { Narrowing } from './narrowing.ts';
import { heardWord } from './owner-words.ts';
import { changesOf } from './standing-terms.ts';
import { documentOf, SYNC_ACCEPT, SYNC_DROP, SYNC_WIPED } from './sync-request.ts';
import type { LoadSchema } from './terms.ts';
import { ANSWER_MS, type Words } from './words.ts';

/** `revoked`: the node has it, and here is the proof. `pending`: it is kept, and sent as soon as the node can be reached. */
export type RevokeOutcome =
  | { readonly status: 'revoked'; readonly certificate: RevokeCertificate | undefined }
  | { readonly status: 'pending' };

/** How long a grant waits for its grantee to take it, in ms: as long as a request stands. */
const UNTAKEN_MS = 14 * 24 * 3_600_000;

/** The life of given grants. */
export type GrantLife = {
  /** Ends a grant. Errors: NOT_FOUND. */
  readonly revoke: (grantId: string) => Promise<RevokeOutcome>;
  /** Stops a grant for a while: nothing is sealed, served or accepted until it is resumed. Errors: NOT_FOUND, BAD_REQUEST, OFFLINE. */
  readonly pause: (grantId: string) => Promise<void>;
  /** Goes on; only what has changed on the whole moves. Errors as `pause`. */
  readonly resume: (grantId: string) => Promise<void>;
  /**
   * Changes what a grant gives: less, or again more, up to what was asked and never beyond; only what differs moves. It is a consent of its
   * own, with a receipt that names the one before.
   *
   * Errors: NOT_FOUND, BAD_REQUEST (beyond what was asked), BAD_FILTER, COMPLETED, EXPIRED, REVOKED (it has ended so).
   */
  readonly change: (grantId: string, narrowing: Narrowing) => Promise<ChangeOutcome>;
  /** Starts a new key for a grant, which reaches the grantee in the feed. Errors: NOT_FOUND. */
  readonly rotateKey: (grantId: string) => Promise<void>;
  /** The proof of a revoke; undefined where there is none (yet). Errors: NOT_FOUND. */
  readonly certificate: (grantId: string) => Promise<RevokeCertificate | undefined>;
  readonly writes: {
    /** Writes of grantees: those that wait for this person, or of one grant with how each ended. */
    readonly list: (grantId?: string) => readonly WriteRecord[];
    /** Calls back for each write that has begun to wait for this person. Returns how to stop. */
    readonly onWaiting: (callback: (write: WriteRecord) => void) => () => void;
    /** Lets a waiting write take effect. Errors: NOT_FOUND, ALREADY_ANSWERED, REVOKED (the grant has ended). */
    readonly accept: (grantId: string, n: number) => Promise<void>;
    readonly reject: (grantId: string, n: number) => Promise<void>;
    /**
     * Which grants wrote what stands in a record, by the schema that the grants are for: of each field that a grantee wrote last, the grant,
     * the grantee and the receipt. Errors: UNKNOWN_SCHEMA, BAD_SCHEMA.
     */
    readonly origins: (schema: string, recordId: string) => Promise<RecordOrigins>;
    /** Takes back, as one, whatever of a grantee's accepted writes still stands. */
    readonly undo: (grantId: string) => Promise<{ readonly undone: number }>;
  };
  readonly start: () => void;
  readonly close: () => void;
};

/** Creates the life of an account's given grants. */
export function createGrantLife(
  account: OpenAccount,
  mailbox: Mailbox,
  grants: GivenGrants,
  words: Words,
  log: Pick<ActivityLog, 'note' | 'has' | 'list'>,
  loadSchema: LoadSchema,
): GrantLife {
  const { clock } = account.platform;
  const { home, keychain } = account;
  const { facts } = grants;
  const stops: (() => void)[] = [];
  const deps = (): ProofDeps => ({ resolve: account.resolver.resolve, nowMs: account.link.nodeMs() });

  /** What was released of a grant until now, from this device's agent and the activity noted by it. */
  async function certify(grantId: string): Promise<RevokeCertificate | undefined> {
    const grant = grants.get(grantId);
    const kept = facts.get(grantId, 'certificate');
    const attested = facts.get(grantId, 'attested');
    const base = kept ?? (await acknowledge(grantId));
    if (!base) return undefined;
    const opened = await openCertificate(base as JsonValue, grant.space, deps());
    if (!opened.ok) return undefined;
    const document = attested && base64urlToBytes(String(attested.document));
    const attestation = document && (await openAttestation(document, grant, deps()));
    return document && attestation?.ok
      ? { ...opened.value, attestation: { ...attestation.value, document } }
      : opened.value;
  }

  async function acknowledge(grantId: string): Promise<JsonObject | undefined> {
    const grant = grants.get(grantId);
    const space = home.keys.space;
    const answer = await account.http.revokeAck(space, toRowId(hexToBytes(grantId)), account.device);
    if (!answer.ok) return undefined;
    const ack = await openRevokeAck(answer.value, { node: home.keys.node.did, space, grantId }, deps());
    if (!ack.ok) return undefined;
    const before = facts.get(grantId, 'revoked');
    const released = releasedOf(grantId);
    const certificate: RevokeCertificate = {
      grantId,
      grantee: grant.grantee,
      revokedAtMs: Number(before?.at ?? grant.revokedAtMs ?? clock.nowMs()),
      acknowledgement: { ...ack.value, document: answer.value },
      released,
      held: Number(before?.held ?? 0),
    };
    const json = certificateToJson(certificate);
    facts.note(grantId, 'certificate', json);
    return json;
  }

  /** What was released at most: every push is noted before it is made. */
  function releasedOf(grantId: string): RevokeCertificate['released'] {
    let [puts, deletes, lastNumber] = [0, 0, 0];
    for (const event of log.list({ grantId })) {
      if (event.type !== 'release') continue;
      for (const release of event.releases) {
        if (release.grantId !== grantId) continue;
        puts += release.puts.length;
        deletes += release.deletes.length;
        lastNumber = Math.max(lastNumber, release.last);
      }
    }
    return { puts, deletes, lastNumber };
  }

  /** What an ended grant wrote waits for nobody: no verdict of it could be told any more. */
  const isOpen = (grantId: string): boolean => grants.list().some((g) => g.grantId === grantId && g.isOpen);
  const decide = (grantId: string, n: number, status: 'accepted' | 'declined'): void => {
    const write = grants.writes.get(grantId, n);
    if (!write) throw new SluiceError('NOT_FOUND', 'There is no such write');
    if (write.status !== 'waiting') throw new SluiceError('ALREADY_ANSWERED');
    if (!isOpen(grantId)) throw new SluiceError('REVOKED', 'The grant has ended, and what it wrote can take no effect');
    grants.writes.put([{ ...write, status }]);
    grants.nudge();
  };

  async function origins(schema: string, recordId: string): Promise<RecordOrigins> {
    const { id } = await loadSchema(schema);
    const written = grants.writes.list({ recordId });
    const found: RecordOrigins[] = [];
    for (const grant of grants.list()) {
      const mine = written.filter(({ grantId }) => grantId === grant.grantId);
      if (mine.length === 0 || grant.terms.schema !== id) continue;
      const state = (await grants.schemaOf(grant)).collection.stateById(recordId);
      if (state) found.push(originsIn(state, mine, { grant, changes: changesOf(facts, grant.grantId) }));
    }
    const deleted = found.find((origins) => origins.deleted)?.deleted;
    return { fields: Object.assign({}, ...found.map(({ fields }) => fields)), ...(deleted ? { deleted } : {}) };
  }

  async function undo(grantId: string): Promise<{ readonly undone: number }> {
    const grant = grants.get(grantId);
    const { collection, schema } = await grants.schemaOf(grant);
    if (!grant.lane) return { undone: 0 };
    const writer = laneWriter(grant.lane);
    const writerOf = new Map(grants.list().flatMap((g) => (g.lane ? [[g.grantId, laneWriter(g.lane)]] : [])));
    const undoneOn = (recordId: string): readonly UndoneWrite[] =>
      grants.writes.list({ recordId, status: 'undone' }).flatMap((write) => {
        const by = writerOf.get(write.grantId);
        return by === undefined || by === writer ? [] : [{ by, write }];
      });
    return account.store.db.transact(() => {
      const side = { writer, undoneOn };
      const { undone, made, records } = takeBack(collection, grants.writes.list({ grantId }), side, schema);
      grants.writes.put(records);
      const of = { grantId, grantee: grant.grantee };
      const verdicts = made.map(
        ({ n, recordId, operation }) => ({ type: 'verdict', ...of, n, recordId, operation, accepted: true }) as const,
      );
      log.note(...verdicts, { type: 'undo', ...of, undone });
      return { undone };
    });
  }

  /**
   * Two devices that answer one request at once give two grants, and the requester takes one: the other has nobody who reads it. One that
   * stands alone stays: word that it was taken may have come to its end while no device of the owner was there to hear it.
   */
  function endUntaken(): void {
    const isTaken = (grantId: string): boolean => facts.get(grantId, 'accepted') !== undefined;
    const all = grants.list();
    const taken = new Map(all.flatMap((g) => (isTaken(g.grantId) ? [[g.requestId, g] as const] : [])));
    for (const { grantId, requestId, givenAtMs, isOpen, receipt } of all) {
      const other = taken.get(requestId);
      if (!isOpen || isTaken(grantId) || !other || equalBytes(other.receipt, receipt)) continue;
      if (clock.nowMs() - givenAtMs > UNTAKEN_MS) grants.revoke(grantId).catch(() => undefined);
    }
  }

  const grantsIn = (item: InboxItem): readonly string[] => {
    const ids: ReadonlySet<unknown> = new Set(Array.isArray(item.data.grants) ? item.data.grants : []);
    // Once each, however often it names them: a signature is checked for each.
    return [...ids].filter(
      (id): id is string => typeof id === 'string' && keychain.get('grant', id)?.grantee === item.from,
    );
  };
  /** What is accepted says the signed document. One whose signer cannot be looked up now is looked at again at the next start. */
  const onAccept = async (item: InboxItem): Promise<void> => {
    const named = grantsIn(item).map(grants.get);
    const document = documentOf(item.data.acceptance);
    const [first] = named;
    if (!first || !document) return;
    const { grantee, requestId, receipt } = first;
    const hashed = bytesToHex(sha256(document));
    const event = { type: 'acceptance', grantee, grants: [], document: hashed, message: item.id } as const;
    const given = { hash: bytesToHex(sha256(receipt)), of: named.filter((g) => g.requestId === requestId) };
    const changes = named.flatMap((g) => changesOf(facts, g.grantId).map(({ hash }) => ({ hash, of: [g] })));
    for (const { hash, of } of log.has(event) ? [] : [given, ...changes]) {
      const known = { grantee, hash, grants: of.map(({ grantId }) => ({ grantId, terms: {} })) };
      const opened = await openAcceptance(document, known, deps());
      if (account.closed()) return;
      if (!opened.ok) continue;
      const { grants, acceptedAtMs } = opened.value;
      account.store.db.transact(() => {
        log.note({ ...event, grants });
        // Changed terms are in force whether or not they are accepted.
        const name = hash === given.hash ? 'accepted' : (`taken/${hash}` as const);
        for (const id of grants) facts.note(id, name, { at: acceptedAtMs });
      });
      return;
    }
  };
  /** What a grantee says of the end of its grants was heard once it is noted: before that it is said again. */
  const tellHeard = (item: InboxItem, name: 'dropped' | 'attested'): void => {
    const ids = grantsIn(item);
    if (ids.length > 0 && ids.every((id) => facts.get(id, name))) words.repeat(heardWord(item, ids), ANSWER_MS);
  };
  const onDrop = async (item: InboxItem): Promise<void> => {
    for (const id of grantsIn(item)) {
      if (facts.get(id, 'dropped')) continue;
      facts.note(id, 'dropped', { at: clock.nowMs() });
      log.note({ type: 'drop', grantId: id, grantee: item.from });
    }
    await onWiped(item);
  };
  const onWiped = async (item: InboxItem): Promise<void> => {
    const { attestation } = item.data;
    if (typeof attestation !== 'string') return;
    for (const id of grantsIn(item)) {
      // One that came before the end says nothing of it.
      if (facts.get(id, 'attested') || grants.get(id).isOpen) continue;
      const document = documentOf(attestation);
      const opened = document && (await openAttestation(document, grants.get(id), deps()));
      if (account.closed()) return;
      if (!opened?.ok || facts.get(id, 'attested')) continue;
      facts.note(id, 'attested', { document: attestation });
      const { wiped, reason, hash } = opened.value;
      log.note({ type: 'attestation', grantId: id, grantee: item.from, wiped, reason, document: hash });
    }
  };

  return {
    revoke: async (grantId) => {
      const grant = grants.get(grantId);
      if (grant.status === 'revoked' && !grant.isRevokePending)
        return { status: 'revoked', certificate: await certify(grantId) };
      const isStored = await grants.revoke(grantId);
      return isStored ? { status: 'revoked', certificate: await certify(grantId) } : { status: 'pending' };
    },
    pause: (grantId) => grants.setPaused(grantId, true),
    resume: (grantId) => grants.setPaused(grantId, false),
    change: createTermsChange(account, words, grants, log.note),
    rotateKey: grants.rotateKey,
    certificate: certify,
    writes: {
      list: (grantId) => {
        if (grantId !== undefined) return grants.writes.list({ grantId });
        const open = new Set(grants.list().flatMap((g) => (g.isOpen ? [g.grantId] : [])));
        return grants.writes.list({ status: 'waiting' }).filter((write) => open.has(write.grantId));
      },
      onWaiting: grants.writes.onWaiting,
      accept: async (grantId, n) => decide(grantId, n, 'accepted'),
      reject: async (grantId, n) => decide(grantId, n, 'declined'),
      origins,
      undo,
    },
    start: () => {
      endUntaken();
      const follow = (
        type: string,
        take: (item: InboxItem) => Promise<void>,
        answer: (item: InboxItem) => void = () => undefined,
      ): void => {
        // What cannot be noted now is looked at again at the next start: the message is kept.
        const handle = (item: InboxItem): Promise<void> => take(item).catch(unlessFull);
        const hear = (item: InboxItem): void => void handle(item).then(() => account.closed() || answer(item));
        stops.push(mailbox.on(type, hear), mailbox.onRepeat(type, hear));
        for (const item of mailbox.list({ type })) void handle(item);
      };
      follow(SYNC_ACCEPT, onAccept);
      follow(SYNC_DROP, onDrop, (item) => tellHeard(item, 'dropped'));
      follow(SYNC_WIPED, onWiped, (item) => tellHeard(item, 'attested'));
    },
    close: () => {
      for (const stop of stops.splice(0)) stop();
    },
  };
}
