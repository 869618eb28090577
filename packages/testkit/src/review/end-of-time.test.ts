/** A record whose stamps a hostile writer put at the end of time, under the name of the last writer there can be. */

import { utf8ToBytes } from '@sluice/core/base';
import { applyDelete, decodeBody, encodeBody, isDeleted, mergeStates, toDocument } from '@sluice/core/record';
import { describe, expect, it } from 'vitest';

describe('a record from the end of time', () => {
  it('[REC-8] is deleted like any other, also where its first state is joined again', () => {
    const header = { ms: 1_000, counter: 0, writer: '11'.repeat(16) };
    const last = [2 ** 48 - 1, 65_535, 'ff'.repeat(16)];
    const read = (body: object) => {
      const state = decodeBody(utf8ToBytes(JSON.stringify({ v: 1, i: 'x', ...body })), header);
      if (!state.ok) throw new Error(state.error.type);
      return state.value;
    };
    const stuck = read({ f: { a: 1 }, t: [last] });
    const gone = applyDelete(stuck, { ms: 2_000, counter: 0, writer: '22'.repeat(16) });
    expect(isDeleted(gone)).toBe(true);
    expect(toDocument(gone)).not.toHaveProperty('a');
    for (const [a, b] of [
      [gone, stuck],
      [stuck, gone],
    ] as const)
      expect(isDeleted(mergeStates(a, b, new Map()).state)).toBe(true);
    const again = decodeBody(encodeBody(gone, header), header);
    expect(again.ok && isDeleted(again.value)).toBe(true);
  });
});
