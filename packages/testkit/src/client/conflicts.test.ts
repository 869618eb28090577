import type { Conflict, Database } from '@sluice/client';
import type { JsonObject } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scanForWords } from '../canary-scan.ts';
import { writeBoatSchema } from '../schema-file.ts';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

const NEVER_IN_CLEAR = 'lighthouse-keeper';

describe('conflicts between two devices', () => {
  let net: TestNetwork;
  let ada: Persona;
  let phone: Awaited<ReturnType<TestNetwork['restore']>>;
  let uri: string;
  let here: Database;
  let there: Database;
  beforeEach(async () => {
    net = await createTestNetwork();
    ada = await net.person('ada');
    phone = await net.restore(ada, 'phone');
    uri = writeBoatSchema(net.directory, {
      trips: { type: 'integer', merge: 'counter' },
      depth: { type: 'number', merge: 'max' },
      hull: { type: 'string', merge: 'immutable' },
    });
    here = await ada.account.vault.openDatastore(uri);
    there = await phone.vault.openDatastore(uri);
    await here.save({ _id: 'b', name: 'Anna', trips: 3, depth: 2 });
    await until(() => there.get('b'));
  });
  afterEach(() => net.close());

  /** Both devices change the record apart, `there` last, and meet again. */
  async function apart(one: JsonObject | 'delete', two: JsonObject | 'delete'): Promise<void> {
    await net.stopNode();
    for (const [store, change] of [
      [here, one],
      [there, two],
    ] as const) {
      if (change === 'delete') await store.delete('b');
      else await store.save({ ...(await store.get('b')), ...change });
    }
    await net.startNode();
    await Promise.all([ada.account.synced(), phone.synced()]);
    await until(async () => (await here.get('b'))?._rev === (await there.get('b'))?._rev);
  }

  it('[DS-14] [DS-15] [DS-16] a lost edit is listed, told once, sealed at rest, there after a restart, and put back', async () => {
    const told: Conflict[] = [];
    here.onConflict((conflict) => told.push(conflict));
    await apart({ name: NEVER_IN_CLEAR }, { name: 'Berta' });
    await until(() => told[0]);
    const [conflict, ...more] = await here.conflicts();
    expect(more).toEqual([]);
    expect(conflict).toMatchObject({ id: 'b', field: 'name', kept: 'Berta', lost: NEVER_IN_CLEAR });
    expect(conflict?.writer).toMatch(/^[0-9a-f]{32}$/);
    expect(Date.parse(String(conflict?.lostAt))).toBeGreaterThan(0);
    expect(told).toEqual([conflict]);
    expect(await here.conflicts({ id: 'other' })).toEqual([]);

    await ada.account.close();
    expect(scanForWords(ada.store, [NEVER_IN_CLEAR]).hits).toEqual([]);
    const again = await net.reopen(ada);
    const reopened = await again.vault.openDatastore(uri);
    expect(await reopened.conflicts()).toEqual([conflict]);
    await reopened.resolve(String(conflict?.key), 'use-lost');
    expect(await reopened.get('b')).toMatchObject({ name: NEVER_IN_CLEAR, trips: 3 });
    expect(await reopened.conflicts()).toEqual([]);
    await again.synced();
    await until(async () => (await there.get('b'))?.name === NEVER_IN_CLEAR);
    await expect(reopened.resolve(String(conflict?.key), 'keep')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('[DS-15] what is forgotten stays so, while the heads it came from are merged again', async () => {
    await apart({ name: 'Clara' }, { name: 'Berta' });
    const [conflict] = await here.conflicts();
    await here.resolve(String(conflict?.key), 'keep');
    expect(await here.get('b')).toMatchObject({ name: 'Berta' });
    await ada.account.close();
    const again = await net.reopen(ada);
    const reopened = await again.vault.openDatastore(uri);
    expect(await reopened.get('b')).toMatchObject({ name: 'Berta' });
    expect(await reopened.conflicts()).toEqual([]);
  });

  it('[DS-16] an edit that a delete had not seen brings the record back, if that is chosen', async () => {
    await apart({ name: 'Clara', depth: 5 }, 'delete');
    expect(await here.get('b')).toBeUndefined();
    const lost = await here.conflicts();
    expect(lost.map(({ field, kept, lost: value }) => [field, kept, value])).toEqual(
      expect.arrayContaining([
        ['name', undefined, 'Clara'],
        ['depth', undefined, 5],
      ]),
    );
    await here.resolve(String(lost[0]?.key), 'use-lost');
    expect(await here.get('b')).toMatchObject({ name: 'Clara', depth: 5 });
    expect(await here.conflicts()).toEqual([]);
  });

  it('[DS-16] what would not match the schema is refused and stays listed', async () => {
    await apart({ depth: 5 }, 'delete');
    const [conflict] = await here.conflicts();
    expect(conflict).toMatchObject({ field: 'depth', lost: 5 });
    await expect(here.resolve(String(conflict?.key), 'use-lost')).rejects.toMatchObject({ code: 'INVALID_RECORD' });
    expect(await here.conflicts()).toEqual([conflict]);
    await here.resolve(String(conflict?.key), 'keep');
    expect(await here.conflicts()).toEqual([]);
  });

  it('[DS-17] counts add up, the larger depth stays, the first hull stays and another is refused', async () => {
    await apart({ trips: 4, depth: 9, hull: 'oak' }, { trips: 1, depth: 7, hull: 'pine' });
    for (const store of [here, there]) {
      expect(await store.get('b')).toMatchObject({ trips: 2, depth: 9, hull: 'oak' });
      const record = (await store.get('b')) ?? {};
      await expect(store.save({ ...record, hull: 'ash' })).rejects.toMatchObject({
        code: 'INVALID_RECORD',
        message: expect.stringContaining('hull') as string,
      });
      await store.save({ ...record, depth: 1 });
      expect(await store.get('b')).toMatchObject({ depth: 9 });
      expect(await store.conflicts()).toMatchObject([{ field: 'hull', kept: 'oak', lost: 'pine' }]);
    }
  });
});
