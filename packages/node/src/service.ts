/** What the node does, without a transport: the checks that come before the storage. HTTP and the live connection both call this. */

import {
  bytesToHex,
  type Clock,
  type Did,
  type Random,
  type RowId,
  type SpaceId,
  type StreamId,
} from '@sluice/core/base';
import { type SigningKey, type VerifyKey, writerId } from '@sluice/core/crypto';
import { signRevokeAck } from '@sluice/core/grant';
import { access, hasLiveRow, isNamed, isOwners, logTarget, openGenesis } from '@sluice/core/stream';
import {
  decodePush,
  type ErrorCode,
  type LogName,
  MAX_DEPOSIT,
  MAX_DEPOSIT_BYTES,
  MAX_MESSAGE_BYTES,
  type Page,
  type PushAnswer,
  streamKind,
  type WireFailure,
} from '@sluice/core/wire';
import { createServedNumbers } from './served-numbers.ts';
import { checkParts } from './storage/checked-part.ts';
import type { Outcome, Storage } from './storage/port.ts';
import { REFUSALS } from './storage/refusals.ts';

/** `open`: anybody may create a space (limited for each address). `invite`: only with an invite code of the operator. */
export type SpacePolicy = { readonly type: 'open' } | { readonly type: 'invite'; readonly codes: ReadonlySet<string> };

/** What the service runs with. */
export type ServiceDeps = {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly identity: NodeIdentity;
  readonly policy: SpacePolicy;
};

/** Who a node is: its DID, and the key in its document. */
export type NodeIdentity = { readonly did: Did; readonly key: SigningKey };

/** What a node does, whichever way it is asked. */
export type NodeService = {
  /** Creates a space with its first control entries. Creating it again with the same entries gives the same answer. */
  readonly createSpace: (
    genesis: Uint8Array,
    firstPush: Uint8Array,
    requester: VerifyKey,
    invite?: string,
  ) => Promise<Outcome<PushAnswer>>;
  readonly push: (space: SpaceId, requester: VerifyKey, push: Uint8Array) => Promise<Outcome<PushAnswer>>;
  readonly pull: (space: SpaceId, requester: VerifyKey, log: LogName, after: number, whole: boolean) => Outcome<Page>;
  /** The node's signed word that a row is revoked, and how far its feed was served: for a device of the owner to keep as a proof. */
  readonly revokeAck: (space: SpaceId, requester: VerifyKey, row: RowId) => Outcome<Uint8Array>;
  /** Whether the key may read the log now. */
  readonly mayRead: (space: SpaceId, requester: VerifyKey, log: LogName) => ErrorCode | 'allowed';
  readonly deposit: (space: SpaceId, messages: readonly Uint8Array[]) => Promise<Outcome<number>>;
  /** Tells whether a key is an admin of some space here, given the space: creating a DID log asks for that. */
  readonly isAdmin: (space: SpaceId, requester: VerifyKey) => boolean;
  readonly onCommit: Storage['onCommit'];
  readonly nowMs: () => number;
};

const refuse = (code: ErrorCode): { readonly ok: false; readonly code: ErrorCode } => ({ ok: false, code });
const wireCode = (failure: WireFailure): ErrorCode => (failure.type === 'too-large' ? 'TOO_LARGE' : 'MALFORMED');

/** Creates the service over a storage. */
export function createService({ storage, clock, identity, policy }: ServiceDeps): NodeService {
  const { did } = identity;
  const served = createServedNumbers();
  const mayRead = (space: SpaceId, requester: VerifyKey, log: LogName): ErrorCode | 'allowed' => {
    const state = storage.accessState(space);
    // An unknown space and a forbidden one look the same, so that nobody can probe for spaces.
    if (!state) return 'FORBIDDEN';
    const verdict = access(state, requester, logTarget(log), 'read', clock.nowMs());
    return verdict === 'allowed' ? 'allowed' : REFUSALS[verdict];
  };

  const push = async (space: SpaceId, requester: VerifyKey, bytes: Uint8Array): Promise<Outcome<PushAnswer>> => {
    const decoded = decodePush(bytes);
    if (!decoded.ok) return refuse(wireCode(decoded.error));
    // A stranger learns nothing from what it pushes: not whether the space exists, nor how far its logs are.
    const state = storage.accessState(space);
    if (!state || !isNamed(state, requester)) return refuse('FORBIDDEN');
    // Each control entry costs a signature check, and whoever was shut out has one thing left to say.
    const controls = decoded.value.reduce((sum, part) => sum + (part.type === 'ctl' ? part.entries.length : 0), 0);
    if (controls > 1 && !hasLiveRow(state, requester, clock.nowMs())) return refuse('REVOKED');
    const parts = checkParts(space, decoded.value, requester);
    if (!parts.ok) return refuse(parts.error);
    return storage.push({ space, requester, parts: parts.value, nowMs: clock.nowMs() });
  };

  return {
    createSpace: async (genesis, firstPush, requester, invite) => {
      const opened = openGenesis(genesis);
      if (!opened.ok || opened.value.node !== did) return refuse('MALFORMED');
      if (policy.type === 'invite' && !policy.codes.has(invite ?? '')) return refuse('INVITE_REQUIRED');
      const { space } = opened.value;
      const decoded = decodePush(firstPush);
      if (!decoded.ok) return refuse(wireCode(decoded.error));
      if (decoded.value.length !== 1 || decoded.value[0]?.type !== 'ctl') return refuse('MALFORMED');
      const parts = checkParts(space, decoded.value, requester);
      if (!parts.ok) return refuse(parts.error);
      return storage.createSpace(genesis, space, { space, requester, parts: parts.value, nowMs: clock.nowMs() });
    },
    push,
    pull: (space, requester, log, after, whole) => {
      const verdict = mayRead(space, requester, log);
      if (verdict !== 'allowed') return refuse(verdict);
      const page = storage.readPage({ space, log, after, except: writerId(requester), whole, nowMs: clock.nowMs() });
      const state = storage.accessState(space);
      if (log.type === 'stream' && state && !isOwners(state, requester, clock.nowMs()))
        served.note(space, log.stream, page.cursor);
      return { ok: true, value: page };
    },
    mayRead,
    revokeAck: (space, requester, row) => {
      const state = storage.accessState(space);
      const nowMs = clock.nowMs();
      // An agent of the owner runs grants; their proofs are for the owner's devices.
      if (!state || access(state, requester, { kind: 'ctl' }, 'write', nowMs) !== 'allowed') return refuse('FORBIDDEN');
      const found = state.rows.get(bytesToHex(row));
      if (found?.status !== 'revoked') return refuse('NOT_FOUND');
      const feed = found.access.map((a) => a.target as StreamId).find((target) => streamKind(target) === 'feed');
      const servedTo = feed && served.of(space, feed);
      const content = {
        space,
        grantId: bytesToHex(row),
        controlHead: storage.head(space, { type: 'ctl' }),
        feedHead: feed ? storage.head(space, { type: 'stream', stream: feed }) : 0,
        ...(servedTo === undefined ? {} : { servedTo }),
        atMs: nowMs,
      };
      return { ok: true, value: signRevokeAck(content, identity) };
    },
    deposit: async (space, messages) => {
      if (messages.length === 0 || messages.length > MAX_DEPOSIT)
        return refuse(messages.length === 0 ? 'MALFORMED' : 'TOO_LARGE');
      const size = messages.reduce((sum, m) => sum + m.length, 0);
      if (size > MAX_DEPOSIT_BYTES || messages.some((m) => m.length > MAX_MESSAGE_BYTES)) return refuse('TOO_LARGE');
      return storage.deposit(space, messages, clock.nowMs());
    },
    isAdmin: (space, requester) => {
      const state = storage.accessState(space);
      return state !== undefined && access(state, requester, { kind: 'ctl' }, 'write', clock.nowMs()) === 'allowed';
    },
    onCommit: storage.onCommit,
    nowMs: clock.nowMs,
  };
}
