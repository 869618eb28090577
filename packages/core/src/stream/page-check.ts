/**
 * What a reader checks on every page of a log of sealed entries (own, lane) before it stores anything (spec/pull.md).
 * Pure: state in, verdict out. It must not know keys of entries: tampering shows before decryption.
 */

import { bytesToHex, equalBytes } from '../base/bytes.ts';
import type { StreamId, WriterId } from '../base/ids.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { VerifyKey } from '../crypto/sign.ts';
import type { Entry } from '../wire/entry.ts';
import { decodeHeader, type Header } from '../wire/header.ts';
import type { DeadRange, Page } from '../wire/page.ts';
import { parseSeal, type ParsedSeal } from '../wire/seal.ts';
import { isSealedAs, NO_SEAL, openSeal, sealHash } from './writer-seal.ts';

/** How far this reader has seen one writer of one stream: last number and hash of the last seal. */
export type Pin = { readonly n: number; readonly hash: Uint8Array };
/** How far the reader has seen every writer come. */
export type Pins = {
  readonly get: (stream: StreamId, writer: WriterId) => Pin | undefined;
  readonly all: () => Iterable<PinnedWriter>;
};
/** How far one writer has come in one stream. */
export type PinnedWriter = Pin & { readonly stream: StreamId; readonly writer: WriterId };

/** An entry that is the one its seal lists, at its place. */
export type CheckedEntry = {
  readonly stream: StreamId;
  readonly seq: number;
  readonly header: Header;
  readonly entry: Entry;
};
/** What of a page may be used, and the pins after it. */
export type CheckedPage = { readonly entries: readonly CheckedEntry[]; readonly pins: readonly PinnedWriter[] };

/** Each is an alarm: an honest node does not cause it. */
export type Tampering = {
  readonly type: 'tampered';
  readonly what:
    | 'malformed'
    | 'bad-seal'
    | 'foreign-writer'
    | 'changed-entry'
    | 'gap'
    | 'fork'
    | 'rollback'
    | 'swapped';
};

const tampered = (what: Tampering['what']): Result<never, Tampering> => err({ type: 'tampered', what });

type Run = { readonly stream: StreamId; readonly writer: WriterId; readonly firstN: number; readonly lastN: number } & (
  | { readonly seal: ParsedSeal; readonly hash: Uint8Array }
  | { readonly seal: undefined; readonly hash: Uint8Array }
);

/**
 * Checks one page against the pins.
 *
 * Result: the new entries with decoded headers, and the pins to store in the same transaction.
 * Errors: tampered (changed entry, foreign writer, gap, fork, rollback, entry in the wrong stream, bad seal).
 * Source: spec/pull.md PULL-4 to PULL-9.
 */
export function checkPage(
  page: Page,
  pins: Pins,
  keyOf: (writer: WriterId, stream: StreamId) => VerifyKey | undefined,
  self: WriterId,
): Result<CheckedPage, Tampering> {
  const runs = readRuns(page, keyOf);
  if (!runs.ok) return runs;
  const advanced = advancePins(runs.value, pins);
  if (!advanced.ok) return advanced;
  const entries = readEntries(page, runs.value, pins);
  if (!entries.ok) return entries;
  const behind = checkVector(page, pins, advanced.value, self);
  if (!behind.ok) return behind;
  return ok({ entries: entries.value, pins: [...advanced.value.values()] });
}

const pinKey = (stream: StreamId, writer: WriterId): string => bytesToHex(stream) + bytesToHex(writer);

function readRuns(page: Page, keyOf: Parameters<typeof checkPage>[2]): Result<readonly Run[], Tampering> {
  const runs: Run[] = page.dead.map((d: DeadRange) => ({ ...d, seal: undefined }));
  for (const bytes of page.seals) {
    const parsed = parseSeal(bytes);
    if (!parsed.ok) return tampered('malformed');
    const key = keyOf(parsed.value.writer, parsed.value.stream);
    if (!key) return tampered('foreign-writer');
    const seal = openSeal(bytes, key);
    if (!seal.ok) return tampered('bad-seal');
    const { stream, writer, firstN, count } = seal.value;
    runs.push({ stream, writer, firstN, lastN: firstN + count - 1, seal: seal.value, hash: sealHash(bytes) });
  }
  return ok(runs.sort((a, b) => a.firstN - b.firstN));
}

/** Every number between the pin and the page's end must be in a seal that chains, or in a run declared dead. */
function advancePins(runs: readonly Run[], pins: Pins): Result<Map<string, PinnedWriter>, Tampering> {
  const next = new Map<string, PinnedWriter>();
  for (const run of runs) {
    const key = pinKey(run.stream, run.writer);
    const pin = next.get(key) ?? pins.get(run.stream, run.writer) ?? { n: 0, hash: NO_SEAL };
    if (run.lastN < pin.n) continue;
    if (run.lastN === pin.n) {
      if (!equalBytes(run.hash, pin.hash)) return tampered('fork');
      continue;
    }
    if (run.firstN > pin.n + 1) return tampered('gap');
    if (run.seal && (run.firstN !== pin.n + 1 || !equalBytes(run.seal.previous, pin.hash))) return tampered('fork');
    next.set(key, { stream: run.stream, writer: run.writer, n: run.lastN, hash: run.hash });
  }
  return ok(next);
}

function readEntries(page: Page, runs: readonly Run[], pins: Pins): Result<readonly CheckedEntry[], Tampering> {
  const seals = new Map<string, (Run & { readonly seal: ParsedSeal })[]>();
  for (const run of runs) {
    if (!run.seal) continue;
    const key = pinKey(run.stream, run.writer);
    const list = seals.get(key) ?? [];
    if (list.length === 0) seals.set(key, list);
    list.push(run);
  }
  const seen = new Map<Run, number>();
  const out: CheckedEntry[] = [];
  for (const item of page.entries) {
    if (!item.body) return tampered('malformed');
    const entry: Entry = { header: item.header, body: item.body };
    const header = decodeHeader(entry.header);
    if (!header.ok) return tampered('malformed');
    const { writer, n } = header.value;
    const run = seals.get(pinKey(item.stream, writer))?.find((r) => n >= r.firstN && n <= r.lastN);
    if (!run) return tampered('swapped');
    if (!isSealedAs(run.seal, n, entry)) return tampered('changed-entry');
    seen.set(run, (seen.get(run) ?? 0) + 1);
    const pin = pins.get(item.stream, writer);
    if (!pin || n > pin.n) out.push({ stream: item.stream, seq: item.seq, header: header.value, entry });
  }
  return allAccounted(page, seals, seen) ? ok(out) : tampered('gap');
}

/** A number inside a living seal is either served or declared superseded: there is no third way to be absent. */
function allAccounted(page: Page, seals: Map<string, readonly Run[]>, seen: Map<Run, number>): boolean {
  for (const hole of page.holes) {
    const run = seals.get(pinKey(hole.stream, hole.writer))?.find((r) => hole.n >= r.firstN && hole.n <= r.lastN);
    if (run) seen.set(run, (seen.get(run) ?? 0) + 1);
  }
  for (const runs of seals.values()) {
    for (const run of runs) if ((seen.get(run) ?? 0) !== run.lastN - run.firstN + 1) return false;
  }
  return true;
}

/** Where the node states every writer's end, less than what was seen before is a rollback, and more than it served is a gap. */
function checkVector(
  page: Page,
  pins: Pins,
  advanced: Map<string, PinnedWriter>,
  self: WriterId,
): Result<null, Tampering> {
  if (!page.whole) return ok(null);
  const pinned = new Map<string, PinnedWriter>();
  for (const pin of pins.all()) pinned.set(pinKey(pin.stream, pin.writer), pin);
  for (const [key, pin] of advanced) pinned.set(key, pin);
  for (const claim of page.vector) {
    const key = pinKey(claim.stream, claim.writer);
    const pin = pinned.get(key);
    pinned.delete(key);
    if (pin && claim.n < pin.n) return tampered('rollback');
    if (pin && claim.n === pin.n && !equalBytes(claim.hash, pin.hash)) return tampered('fork');
    // The reader's own entries are never served back to it, so only its own end may be ahead (an answer that got lost).
    if (claim.n > (pin?.n ?? 0) && !equalBytes(claim.writer, self)) return tampered('gap');
  }
  return pinned.size > 0 ? tampered('rollback') : ok(null);
}
