import { describe, expect, it } from 'vitest';
import { playContacts } from './contacts-story.ts';

describe('contact details in three applications', () => {
  it('are the same in all of them, whoever changes them, and no change comes back to whoever made it', async () => {
    const facts = await playContacts();
    expect(facts.afterThePerson).toEqual(Array(4).fill('+31 6 2222 2222'));
    expect(facts.afterTheBank).toEqual(Array(4).fill('+31 6 3333 3333'));
    expect(facts.told).toEqual([1, 2, 2]);
    expect(facts.again).toBe('unchanged');
    expect(facts.saves).toBe(2);
  });
});
