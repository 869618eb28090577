import { describe, expect, it } from 'vitest';
import { type BridgeFacts, playBridge } from './bridge-story.ts';

function expectRest({ members, carried, strangers }: BridgeFacts): void {
  expect(members[0]).toEqual(['kim@club.example 11', 'lou@club.example 2', 'noa@club.example 44']);
  expect(members[1]).toEqual(members[0]);
  expect(strangers).toBe(0);
  // Lou there, Noa back, and one edit each way.
  expect(carried).toMatchObject({ written: 4, refused: 0 });
}

describe('bridges that run against each other', () => {
  it('of one application come to rest, since it knows what it wrote itself', async () => {
    const facts = await playBridge('one');
    expectRest(facts);
    expect(facts.carried.own).toBeGreaterThan(0);
  });

  it('of two applications come to rest, since what is there already is not written again', async () => {
    const facts = await playBridge('two');
    expectRest(facts);
    expect(facts.carried.unchanged).toBeGreaterThan(0);
  });
});
