/** The digest of a feed's content: a sum that does not depend on order, so that adding and removing are one step (spec/feed.md). */

import { bytesToHex, hexToBytes } from '../base/bytes.ts';
import type { Tag } from '../base/ids.ts';
import { sha256 } from '../crypto/hash.ts';

const MODULUS = 1n << 256n;

/** The share of one record: SHA-256 of tag and print, as an integer. */
const share = (tag: Tag, print: Uint8Array): bigint => BigInt(`0x${bytesToHex(sha256(tag, print))}`);

/** A digest kept up to date. */
export type RunningDigest = {
  readonly add: (tag: Tag, print: Uint8Array) => void;
  readonly remove: (tag: Tag, print: Uint8Array) => void;
  /** 32 bytes, big-endian. */
  readonly value: () => Uint8Array;
  readonly count: () => number;
  readonly copy: () => RunningDigest;
};

/** Starts a digest, of nothing unless said otherwise. */
export function createRunningDigest(sum = 0n, count = 0): RunningDigest {
  return {
    add: (tag, print) => {
      sum = (sum + share(tag, print)) % MODULUS;
      count++;
    },
    remove: (tag, print) => {
      sum = (sum - share(tag, print) + MODULUS) % MODULUS;
      count--;
    },
    value: () => digestBytes(sum),
    count: () => count,
    copy: () => createRunningDigest(sum, count),
  };
}

const digestBytes = (sum: bigint): Uint8Array => hexToBytes(sum.toString(16).padStart(64, '0'));
