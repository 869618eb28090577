/** All that is left to chance in a simulation, drawn from one seed. Not for keys of anybody real. */

import type { Random } from '@sluice/core/base';

/** Draws that can be played again. */
export type Chance = {
  /** A whole number from 0 up to, and without, `end`. */
  readonly below: (end: number) => number;
  /** True with this probability. */
  readonly happens: (probability: number) => boolean;
  readonly pick: <T>(from: readonly T[]) => T;
  readonly bytes: Random;
  /** A source of its own: what is drawn here moves nothing elsewhere. */
  readonly fork: (name: string) => Chance;
};

/** Starts a source from a seed. */
export function createChance(seed: string): Chance {
  const next = sfc32(hashOf(seed));
  for (let i = 0; i < 12; i++) next();
  const below = (end: number): number => Math.floor((next() / 2 ** 32) * end);
  return {
    below,
    happens: (probability) => next() / 2 ** 32 < probability,
    pick: (from) => {
      if (from.length === 0) throw new RangeError('there is nothing to pick from');
      return from[below(from.length)] as (typeof from)[number];
    },
    bytes: (length) => {
      const words = new Uint32Array(Math.ceil(length / 4));
      for (let i = 0; i < words.length; i++) words[i] = next();
      return new Uint8Array(words.buffer).slice(0, length);
    },
    fork: (name) => createChance(`${seed}/${name}`),
  };
}

/** The generator sfc32 of PractRand: 128 bits of state, fast, without a pattern that matters here. */
function sfc32([a0, b0, c0]: readonly [number, number, number]): () => number {
  let [a, b, c, counter] = [a0, b0, c0, 1];
  return () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
}

/** Three hashes of a text (FNV-1a with different starts). */
function hashOf(text: string): [number, number, number] {
  const hash = (start: number): number => {
    let h = start;
    for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
    return h;
  };
  return [hash(0x811c9dc5), hash(0x9e3779b9), hash(0x2545f491)];
}
