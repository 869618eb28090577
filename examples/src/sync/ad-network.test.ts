import { describe, expect, it } from 'vitest';
import { playAdNetwork } from './ad-network-story.ts';

describe('the ad network', () => {
  it('sees of each person what that person gives, by the hour, and nothing during a pause but what it comes to', async () => {
    const facts = await playAdNetwork();
    expect(facts.taken).toEqual({ ana: 2, bob: 2, cas: 0 });
    expect(facts.dropped).toEqual(['revoked', 'revoked']);
    expect(facts.posts.ana).toEqual({
      tags: ['cake'],
      createdAt: '2026',
      content: 'All about cake',
      uri: expect.stringMatching(/^[\w-]{22}$/),
    });
    expect(facts.posts.bob).toEqual({ tags: ['cake', 'recipes'], createdAt: '2026' });
    expect([facts.beforeTheHour, facts.afterTheHour]).toEqual([0, 4]);
    expect([facts.pausedStatus, facts.afterThePause]).toEqual(['paused', 1]);
  });
});
