/**
 * What the node asks of a database. Coarse on purpose: each call is one transaction (or joins a group), so that another engine can
 * carry it with its own SQL. Must not know HTTP, sockets or keys' meaning.
 */

import type { SpaceId, WriterId } from '@sluice/core/base';
import type { VerifyKey } from '@sluice/core/crypto';
import type { AccessState } from '@sluice/core/stream';
import type { ErrorCode, LogName, Page, PushAnswer } from '@sluice/core/wire';
import type { CheckedPart } from './checked-part.ts';

/** A push to be stored in one transaction. */
export type PushJob = {
  readonly space: SpaceId;
  readonly requester: VerifyKey;
  readonly parts: readonly CheckedPart[];
  readonly nowMs: number;
};
/** A value, or the code of a refusal. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly code: ErrorCode };

/** Which page of which log, and for whom. */
export type PageQuery = {
  readonly space: SpaceId;
  readonly log: LogName;
  readonly after: number;
  /** Entries of this writer are left out: a device never needs its own back. */
  readonly except: WriterId;
  /** State the end of every writer when this page reaches the head. */
  readonly whole: boolean;
  readonly nowMs: number;
};

/** Where a node keeps its streams. Every adapter does the same. */
export type Storage = {
  readonly createSpace: (genesis: Uint8Array, space: SpaceId, job: PushJob) => Promise<Outcome<PushAnswer>>;
  /** The access state of a space, or undefined. Never changed in place by later pushes. */
  readonly accessState: (space: SpaceId) => AccessState | undefined;
  /** Stores the push with others in one durable transaction; resolves after the commit. */
  readonly push: (job: PushJob) => Promise<Outcome<PushAnswer>>;
  readonly readPage: (query: PageQuery) => Page;
  readonly head: (space: SpaceId, log: LogName) => number;
  /** Stores sealed messages; repeats and lately drained ones are accepted and dropped. */
  readonly deposit: (space: SpaceId, messages: readonly Uint8Array[], nowMs: number) => Promise<Outcome<number>>;
  readonly blobs: BlobTable;
  /** Calls back after each commit with every log it touched. */
  readonly onCommit: (listener: (touched: readonly TouchedLog[]) => void) => () => void;
  readonly ready: () => boolean;
  readonly close: () => Promise<void>;
};

/** A log that a commit appended to. */
export type TouchedLog = { readonly space: SpaceId; readonly log: string };

/** Small named values outside any space: recovery boxes, DID logs, drops. `replace` decides on the old value inside the transaction. */
export type BlobTable = {
  readonly get: (kind: string, name: string, nowMs: number) => Uint8Array | undefined;
  readonly put: (
    kind: string,
    name: string,
    value: Uint8Array,
    options: {
      readonly expiresMs?: number;
      readonly nowMs: number;
      readonly mayReplace: (old: Uint8Array | undefined) => ErrorCode | 'yes';
    },
  ) => Promise<Outcome<null>>;
  /** Reads a value and removes it in one step. */
  readonly take: (kind: string, name: string, nowMs: number) => Promise<Uint8Array | undefined>;
};
