import { describe, expect, it } from 'vitest';
import { followMoves } from './kept-notes.ts';

const moved = (...moves: readonly (readonly [number, number])[][]): Record<number, number> => {
  const all = new Map<number, number>();
  for (const move of moves) followMoves(all, new Map(move));
  return Object.fromEntries(all);
};

describe('numbers of writes that moved', () => {
  it('[LANE-17] are asked for by the first one each, also where another write had it in between', () => {
    const once = [
      [2, 3],
      [3, 4],
      [4, 5],
    ] as const;
    expect(moved([...once])).toEqual({ 2: 3, 3: 4, 4: 5 });
  });

  it('[LANE-17] move on, and a number that a write only had in between becomes no first one', () => {
    expect(moved([[2, 3]], [[3, 7]])).toEqual({ 2: 7 });
    expect(
      moved(
        [
          [2, 3],
          [3, 4],
        ],
        [
          [3, 6],
          [4, 7],
          [5, 8],
        ],
      ),
    ).toEqual({ 2: 6, 3: 7, 5: 8 });
  });
});
