/** Randomness that can be played again. For tests only: whoever knows the seed knows every key. */

import { concatBytes, type Random, utf8ToBytes } from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';

/**
 * Creates a source that always gives the same bytes in the same order.
 *
 * Each length has a row of its own, so that two kinds of draw which overtake each other (a nonce, a key) leave each other as they are.
 */
export function createSeededRandom(seed: string): Random {
  const drawn = new Map<number, number>();
  return (length) => {
    const at = drawn.get(length) ?? 0;
    drawn.set(length, at + 1);
    const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) =>
      sha256(utf8ToBytes(`${seed}/${length}/${at}/${i}`)),
    );
    return concatBytes(...blocks).slice(0, length);
  };
}
