import type { Account } from '@sluice/client';
import { until } from '@sluice/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askUntil, holdBack, openAgain, proofsOf, renewKey, watch } from './life.ts';
import { arrived, openStage, settledAt, type Stage } from './stage.ts';

const DAY_MS = 24 * 3600 * 1000;

describe('the life of a grant', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(() => stage.net.close());

  const start = async () => {
    const person = await stage.net.person('person');
    const app = await stage.net.app('https://museum.example');
    const posts = await person.account.vault.openDatastore('social/post');
    await posts.save({ _id: 'a', name: 'A', content: 'A', visibility: 'public', tags: ['art'] });
    const untilMs = stage.net.clock.nowMs() + 10 * DAY_MS;
    const pending = await askUntil(app.account, person.account.did, new Date(untilMs).toISOString());
    await arrived(person.account, pending.id);
    await person.account.sharing.consent(pending.id);
    const answer = await pending.answer();
    const [grant] = answer.status === 'granted' ? answer.grants : [];
    if (!grant) throw new Error('no grant');
    await settledAt(person.account, grant);
    return { person, app, posts, grant };
  };
  const statusAt = (person: Account): string | undefined => person.sharing.grants.list()[0]?.status;

  it('tells the application what happens, and ends by its terms with nobody deciding anything', async () => {
    const { person, app, posts, grant } = await start();
    const told: string[] = [];
    const stop = watch(grant, (what) => told.push(what));
    await posts.save({ ...(await posts.get('a')), content: 'AA' });
    await until(() => told.length === 1);
    await posts.save({ name: 'C', content: 'C', visibility: 'public', tags: ['art', 'private life'] });
    await until(() => told.length === 2);
    expect(await holdBack(person.account, grant.id, 'private life')).toBe(1);
    await until(() => told.length === 3);
    await posts.delete('a');
    await until(() => told.length === 4);
    stop();
    expect(told).toEqual(['put by owner', 'put by owner', 'delete by owner, left', 'delete by owner, left']);
    expect(JSON.stringify(grant.terms)).toContain('private life');
    expect(grant.terms.duration).toMatchObject({ until: expect.stringMatching(/Z$/) });
    stage.passTime(11 * DAY_MS);
    expect(statusAt(person.account)).toBe('expired');
    await app.account.close();
    const again = await stage.net.reopen(app);
    const [late] = await openAgain(again);
    await until(() => late?.status() === 'expired');
    await expect(late?.upToDate()).rejects.toMatchObject({ code: 'EXPIRED' });
  });

  it('goes on at any device of the person, under a new key, and from a later process of the application', async () => {
    const { person, app, grant } = await start();
    const phone = await stage.net.restore(person, 'phone');
    await phone.synced();
    await person.account.close();
    await renewKey(phone, grant.id);
    const posts = await phone.vault.openDatastore('social/post');
    await posts.save({ name: 'B', content: 'B', visibility: 'public' });
    await until(async () => (await grant.datastore().count()) === 2);
    await app.account.close();
    const again = await stage.net.reopen(app);
    const [opened] = await openAgain(again);
    expect(await opened?.datastore().count()).toBe(2);

    await phone.sharing.revoke(grant.id);
    await until(() => opened?.status() === 'revoked');
    const proofs = await proofsOf(phone, app.account.did, grant.id);
    expect(proofs).toMatchObject({ held: 2, takenBack: 0, revokedAt: expect.stringMatching(/^20/) });
    expect(proofs.events).toEqual(expect.arrayContaining(['consent', 'release', 'revoke']));
    expect(JSON.stringify(proofs.receipt)).toContain('For the exhibition');
    // The terms let the copy be kept for a while after the end.
    expect(await opened?.datastore().count()).toBe(2);
  });
});
