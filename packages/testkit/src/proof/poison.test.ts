/** Entries that verify and hold nonsense: a broken or hostile writer spoils its own record and nothing else. */

import { utf8ToBytes } from '@sluice/core/base';
import type { Alarm } from '@sluice/client';
import { afterEach, describe, expect, it } from 'vitest';
import { bodyOf, createScribe, letIn } from '../review/session-fixture.ts';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

describe('a poisoned entry', () => {
  let net: TestNetwork;
  afterEach(() => net.close());

  it('[DS-13] of a silo is left out and said, and the records around it are read and written on', async () => {
    net = await createTestNetwork();
    const owner = await net.person('owner');
    const game = await net.app('https://game.example');
    const { context } = await letIn(owner, game);
    const scribe = await createScribe(net, context);
    const { stream, key, tagOf } = scribe.collection('plain/saves');
    const good = (id: string) => ({ tag: tagOf(id), body: bodyOf(id) });
    await scribe.push([
      scribe.part(stream, key, [
        good('before'),
        { tag: tagOf('no json'), body: utf8ToBytes('{"v":1,') },
        { tag: tagOf('shadowed'), body: bodyOf('another id') },
        { tag: tagOf('a bomb'), body: utf8ToBytes('['.repeat(100_000)) },
        good('after'),
      ]),
    ]);
    scribe.link.close();

    const silo = await owner.account.context('Game', { app: game.account.did });
    if (!silo) throw new Error('there is no silo');
    const alarms: Alarm['type'][] = [];
    silo.engine.onAlarm((alarm) => alarms.push(alarm.type));
    await silo.synced();
    const saves = await silo.openDatabase('saves');
    expect((await saves.getMany()).map((record) => record._id).sort()).toEqual(['after', 'before']);
    for (const id of ['no json', 'shadowed', 'another id', 'a bomb']) expect(await saves.get(id)).toBeUndefined();
    await until(() => alarms.length > 0);
    expect(new Set(alarms)).toEqual(new Set(['unreadable']));

    // The owner writes on, also over what was poisoned.
    await saves.save({ _id: 'no json', level: 2 });
    await silo.synced();
    expect(silo.engine.status()).toBe('live');
    expect(await saves.get('no json')).toMatchObject({ level: 2 });
    expect(await saves.count()).toBe(3);
  });

  it('[DS-13] is none where the key of its epoch is still on its way: nobody is alarmed', async () => {
    net = await createTestNetwork();
    const owner = await net.person('owner');
    const game = await net.app('https://game.example');
    const { context } = await letIn(owner, game);
    const scribe = await createScribe(net, context);
    const { stream, key, tagOf } = scribe.collection('plain/saves');
    const entry = (id: string) => ({ tag: tagOf(id), body: bodyOf(id) });
    await scribe.push([scribe.part(stream, key, [entry('early')], 2), scribe.part(stream, key, [entry('plain')], 2)]);
    const poison = { tag: tagOf('poison'), body: utf8ToBytes('{"v":1,') };
    await scribe.push([scribe.part(stream, key, [entry('open'), poison])]);
    scribe.link.close();
    const silo = await owner.account.context('Game', { app: game.account.did });
    if (!silo) throw new Error('there is no silo');
    const alarms: Alarm['type'][] = [];
    silo.engine.onAlarm((alarm) => alarms.push(alarm.type));
    await silo.synced();
    const saves = await silo.openDatabase('saves');
    expect((await saves.getMany()).map((record) => record._id)).toEqual(['open']);
    // Of what comes in one order the one that is poison is said, and it alone.
    await until(() => alarms.length > 0);
    expect(alarms).toEqual(['unreadable']);
  });
});
