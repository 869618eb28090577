/**
 * Who may do what in a space: the lattice of access rows that node and clients build from the same control entries (spec/ctl.md).
 * Pure: both sides run this very code, so a node that lets somebody in whom the entries do not name is caught.
 */

import { bytesToHex, compareBytes, equalBytes } from '../base/bytes.ts';
import type { StreamId, WriterId } from '../base/ids.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { VerifyKey } from '../crypto/sign.ts';
import type { Entry } from '../wire/entry.ts';
import type { LogName } from '../wire/log.ts';
import { STREAM_KIND, type StreamKind } from '../wire/header.ts';
import { type CtlEntry, type CtlEpoch, type CtlRow, VERB } from './ctl-entry.ts';
import { entryHash } from './sealed-entry.ts';

/** A row in force, with the stamp of the entry that set it. */
export type AccessRow = CtlRow & { readonly writer: WriterId; readonly ms: number; readonly counter: number };
/** How far a signer’s chain has come. */
export type ChainEnd = { readonly n: number; readonly hash: Uint8Array };

/** Mutable only through `applyCtl`. Keys of the maps are hex. */
export type AccessState = {
  readonly root: VerifyKey;
  readonly rows: Map<string, AccessRow>;
  readonly chains: Map<string, ChainEnd>;
  /** The epochs after the first, by number. */
  readonly epochs: Map<number, CtlEpoch>;
  /** The epoch in force; 0 while no entry has named one, which is the first. */
  epoch: number;
};

/** Why a control entry does not count. */
export type CtlFailure =
  | { readonly type: 'forbidden' }
  | { readonly type: 'revoked' }
  | { readonly type: 'gap' }
  | { readonly type: 'fork' }
  | { readonly type: 'known' };

/** Whether a key may do something. `revoked`: a row allowed it once. `paused`: a row allows it again when the owner goes on. */
export type Verdict = 'allowed' | 'paused' | 'revoked' | 'forbidden';

/** The epoch that a space is born with; its key is in no entry. */
export const FIRST_EPOCH = 1;

/** NO entry before the first: `previous` of a signer's first control entry. */
export const NO_ENTRY = new Uint8Array(32);

/** Creates the state of a space before its first control entry: the root alone. */
export const createAccessState = (root: VerifyKey): AccessState => ({
  root,
  rows: new Map(),
  chains: new Map(),
  epochs: new Map(),
  epoch: 0,
});

/** A copy that `applyCtl` may change while others go on reading the original. */
export const copyAccessState = (state: AccessState): AccessState => ({
  ...state,
  rows: new Map(state.rows),
  chains: new Map(state.chains),
  epochs: new Map(state.epochs),
});

/**
 * Applies one verified control entry.
 *
 * Errors: known (the same entry again: nothing to do), gap (a number is missing), fork (other bytes under a known number or chain),
 *         revoked and forbidden (the signer may not sign this).
 * Source: spec/ctl.md CTL-4 to CTL-8.
 */
export function applyCtl(state: AccessState, ctl: CtlEntry, entry: Entry, nowMs: number): Result<null, CtlFailure> {
  const writer = bytesToHex(ctl.writer);
  const end = state.chains.get(writer) ?? { n: 0, hash: NO_ENTRY };
  const { n } = ctl.header;
  const hash = entryHash(entry);
  if (n === end.n && equalBytes(hash, end.hash)) return err({ type: 'known' });
  if (n <= end.n) return err({ type: 'fork' });
  if (n > end.n + 1) return err({ type: 'gap' });
  if (!equalBytes(ctl.previous, end.hash)) return err({ type: 'fork' });
  const allowed = maySign(state, ctl, nowMs);
  if (allowed !== 'allowed') return err({ type: allowed });

  state.chains.set(writer, { n, hash });
  if (ctl.public.type === 'epoch') joinEpoch(state, ctl.public);
  else joinRow(state, { ...ctl.public, writer: ctl.writer, ms: ctl.header.hlc.ms, counter: ctl.header.hlc.counter });
  return ok(null);
}

/** Decides whether a key may read or write a log or stream now. */
export function access(
  state: AccessState,
  key: VerifyKey,
  target: AccessTarget,
  verb: keyof typeof VERB,
  nowMs: number,
): Verdict {
  // The root is never a row; it opens everything so that twelve words alone can join a new device.
  if (equalBytes(key, state.root)) return 'allowed';
  let verdict: Verdict = 'forbidden';
  for (const row of state.rows.values()) {
    if (!equalBytes(row.key, key) || !opens(row, target, VERB[verb])) continue;
    if (isLive(row, nowMs)) return 'allowed';
    if (row.status === 'paused' && !isExpired(row, nowMs)) verdict = 'paused';
    else if (verdict === 'forbidden') verdict = 'revoked';
  }
  return verdict;
}

/** Whether the key is one of the owner's: the root, a device or an agent, live now. */
export const isOwners = (state: AccessState, key: VerifyKey, nowMs: number): boolean =>
  equalBytes(key, state.root) ||
  [...state.rows.values()].some(
    (row) => equalBytes(row.key, key) && (row.role === 'admin' || row.role === 'agent') && isLive(row, nowMs),
  );

/** How a feed or lane stands, by the row of the one it was opened for: `revoked` also when no row names it. */
export function grantStanding(state: AccessState, stream: Uint8Array, nowMs: number): 'open' | 'paused' | 'revoked' {
  let standing: 'paused' | 'revoked' = 'revoked';
  for (const row of state.rows.values()) {
    if (row.role !== 'grantee' || !row.access.some((a) => equalBytes(a.target, stream))) continue;
    if (isLive(row, nowMs)) return 'open';
    if (row.status === 'paused' && !isExpired(row, nowMs)) standing = 'paused';
  }
  return standing;
}

/** The number of the terms that a feed may be written by, and by none before. */
export function grantTerm(state: AccessState, stream: Uint8Array): number {
  let term = 0;
  for (const row of state.rows.values())
    if (row.role === 'grantee' && row.access.some((a) => equalBytes(a.target, stream))) term = Math.max(term, row.term);
  return term;
}

/** Whether the key is the root or stands in any row, live or not. */
export const isNamed = (state: AccessState, key: VerifyKey): boolean =>
  equalBytes(key, state.root) || [...state.rows.values()].some((row) => equalBytes(row.key, key));

/** Whether the key is the root or stands in a row that lives now. */
export const hasLiveRow = (state: AccessState, key: VerifyKey, nowMs: number): boolean =>
  equalBytes(key, state.root) || [...state.rows.values()].some((row) => equalBytes(row.key, key) && isLive(row, nowMs));

/** What a key wants to reach: a kind of stream, or one stream of it. */
export type AccessTarget = { readonly kind: StreamKind; readonly stream?: StreamId };

/** What a reader of a log must be allowed to read. */
export const logTarget = (log: LogName): AccessTarget =>
  log.type === 'stream'
    ? { kind: log.stream[0] === STREAM_KIND.feed ? 'feed' : 'lane', stream: log.stream }
    : { kind: log.type };

/** The key of a writer that some row, live or not, lets write this own stream: what readers check seals with. */
export function writerKey(
  state: AccessState,
  writer: WriterId,
  stream: StreamId,
  idOf: (key: VerifyKey) => WriterId,
): VerifyKey | undefined {
  for (const row of state.rows.values()) {
    // The hash last: most rows of a space are those of grantees.
    if (opens(row, { kind: 'own', stream }, VERB.write) && equalBytes(idOf(row.key as VerifyKey), writer))
      return row.key as VerifyKey;
  }
  return undefined;
}

/** Tells whether a row grants anything at this time. */
export const isLive = (row: AccessRow, nowMs: number): boolean => row.status === 'active' && !isExpired(row, nowMs);

const isExpired = (row: AccessRow, nowMs: number): boolean => row.expiresMs !== 0 && nowMs >= row.expiresMs;

function opens(row: AccessRow, target: AccessTarget, verb: number): boolean {
  if (row.role === 'admin') return true;
  return row.access.some((a) => (a.verbs & verb) !== 0 && matchesTarget(a.target, target));
}

function matchesTarget(allowed: Uint8Array, target: AccessTarget): boolean {
  if (allowed.length === 1) return allowed[0] === STREAM_KIND[target.kind];
  return target.stream !== undefined && equalBytes(allowed, target.stream);
}

function maySign(state: AccessState, ctl: CtlEntry, nowMs: number): Exclude<Verdict, 'paused'> {
  if (equalBytes(ctl.signer, state.root)) return 'allowed';
  let verdict: Exclude<Verdict, 'paused'> = 'forbidden';
  for (const row of state.rows.values()) {
    if (!equalBytes(row.key, ctl.signer)) continue;
    if (row.role === 'admin' && isLive(row, nowMs)) return 'allowed';
    if (isOwnRevocation(row, ctl)) {
      if (row.status !== 'revoked') return 'allowed';
      // A row ends once: whoever was shut out may not go on writing that it is.
      verdict = 'revoked';
    }
    if (row.role === 'admin') verdict = 'revoked';
  }
  return verdict;
}

/** Any key may give up its own row, and change nothing else by it. */
function isOwnRevocation(row: AccessRow, ctl: CtlEntry): boolean {
  const p = ctl.public;
  return (
    p.type === 'row' &&
    p.status === 'revoked' &&
    equalBytes(p.id, row.id) &&
    equalBytes(p.key, row.key) &&
    p.role === row.role
  );
}

/** The first entry of a number counts: whoever starts the same epoch at the same time sees that it did not, and starts another. */
function joinEpoch(state: AccessState, next: CtlEpoch): void {
  if (next.epoch <= Math.max(FIRST_EPOCH, state.epoch)) return;
  state.epochs.set(next.epoch, next);
  state.epoch = next.epoch;
}

/** Revoked wins over active for ever; otherwise the later stamp, then the greater writer, wins. The key of a row never changes, and its term never falls. */
function joinRow(state: AccessState, next: AccessRow): void {
  const id = bytesToHex(next.id);
  const old = state.rows.get(id);
  if (!old) {
    state.rows.set(id, next);
    return;
  }
  // Terms that were in force once are never again: who knows no later ones must not reveal by them.
  const fixedParts = { key: old.key, role: old.role, term: Math.max(old.term, next.term) };
  if (old.status === 'revoked') return;
  // An end changes nothing else, so that what was open still reads as revoked and not as never given.
  if (next.status === 'revoked') state.rows.set(id, { ...next, ...fixedParts, access: old.access });
  else state.rows.set(id, { ...(compareRows(next, old) > 0 ? next : old), ...fixedParts, ...laterStatus(old, next) });
}

/** A status is as decided last, whatever else was said of the row since; of two decisions of one instant the pause stands. */
function laterStatus(a: AccessRow, b: AccessRow): Pick<AccessRow, 'status' | 'statusMs'> {
  const isLater = b.statusMs > a.statusMs || (b.statusMs === a.statusMs && b.status === 'paused');
  const { status, statusMs } = isLater ? b : a;
  return { status, statusMs };
}

const compareRows = (a: AccessRow, b: AccessRow): number =>
  a.ms - b.ms || a.counter - b.counter || compareBytes(a.writer, b.writer);
