import { fileURLToPath } from 'node:url';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeRealData, realFhirBundles } from '@sluice/testkit/real-data';
import { type ClinicFacts, playClinic } from './clinic-story.ts';

const OWN_BUNDLE = fileURLToPath(new URL('../../data/bundle.json', import.meta.url));

function expectStory(facts: ClinicFacts): void {
  expect(facts.read).toEqual(facts.inTheFile);
  expect(facts.sentences).toMatchObject([expect.stringContaining('Observations'), expect.stringContaining('Immuniz')]);
  expect(facts.verdicts).toEqual(['accepted', 'accepted', 'unchanged', 'DECLINED', 'OUTSIDE_FILTER']);
  expect(facts.statusAtThePatient).toBe('final');
  expect([facts.undone, facts.leftAtThePatient]).toEqual([1, 0]);
  expect(facts.atTheClinic).toEqual(['revoked', 0]);
  const { held, wiped, servedAfter } = facts.certificate;
  expect([held, wiped, servedAfter]).toEqual([facts.read[0], facts.read[0], 0]);
}

describe('the clinic', () => {
  it('reads six months, writes back what the patient takes, and keeps nothing after the end', async () => {
    const facts = await playClinic(OWN_BUNDLE);
    expect(facts.inTheFile).toEqual([6, 4]);
    expectStory(facts);
  });
});

describeRealData('the clinic on real bundles', 6, () => {
  for (const file of realFhirBundles())
    it(`reads and writes ${basename(file)}`, async () => {
      const facts = await playClinic(file);
      expect(facts.inTheFile[0]).toBeGreaterThan(0);
      expectStory(facts);
    });
});
