/** What people and developers do wrong, at the SDK's own door: a code, a sentence that says what to do, and nothing lost (docs/bad-input.md). */

import { SluiceError } from '@sluice/client';
import type { JsonObject } from '@sluice/core/base';
import type { Page } from '@sluice/core/wire';
import type { PageQuery, Storage } from '@sluice/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

const SECRET = 'secret-value-of-the-record';

describe('bad input to the SDK', () => {
  let net: TestNetwork;
  let ada: Persona;
  let lie: ((page: Page, query: PageQuery) => Page) | undefined;

  beforeEach(async () => {
    lie = undefined;
    net = await createTestNetwork({
      wrapStorage: (storage: Storage): Storage => ({
        ...storage,
        readPage: (query) => {
          const page = storage.readPage(query);
          return lie ? lie(page, query) : page;
        },
      }),
    });
    ada = await net.person('ada');
    await (await ada.account.vault.openDatastore('note')).save({ _id: 'kept', name: 'kept', content: 'kept' });
  });
  afterEach(() => net.close());

  /** The refusal of a piece of work. It says what to do and nothing of the record. */
  const refusalOf = async (work: () => Promise<unknown>): Promise<string> => {
    try {
      await work();
      return 'done';
    } catch (cause) {
      if (!(cause instanceof SluiceError)) return String(cause);
      expect(cause.message).toMatch(new RegExp(`^.+[.;] \\S.+\\. \\(${cause.code}\\)$`));
      expect(`${cause.message}${JSON.stringify(cause.issues)}`).not.toContain(SECRET);
      return cause.code;
    }
  };

  it('[ERR-7] is refused with a code and what to do, and what was there stays', async () => {
    const { vault, messaging, sharing, did } = ada.account;
    const notes = await vault.openDatastore('note');
    let deep: JsonObject = { name: SECRET };
    for (let i = 0; i < 9; i++) deep = { $not: deep };
    const tries: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['UNKNOWN_SCHEMA', () => vault.openDatastore('no/such')],
      ['UNKNOWN_SCHEMA', () => vault.openDatastore('https://nowhere.example/schema.json')],
      ['UNKNOWN_SCHEMA', () => messaging.request(did, { requestSchema: 'no/such' })],
      ['UNKNOWN_SCHEMA', () => sharing.request(did, { schema: 'no/such', purpose: 'x' })],
      ['BAD_NAME', () => vault.openDatabase('../x')],
      ['INVALID_RECORD', () => notes.save({ _id: 'kept', name: SECRET, content: 7 })],
      ['INVALID_RECORD', () => notes.save({ _id: 'half \ud800', name: SECRET, content: 'x' })],
      ['INVALID_RECORD', () => notes.save({ _id: 'kept', name: SECRET, content: 'x'.repeat(1_100_000) })],
      ['INVALID_RECORD', () => notes.save('text' as unknown as JsonObject)],
      ['REV_CONFLICT', () => notes.save({ _id: 'kept', _rev: '9-00', name: SECRET })],
      ['BAD_FILTER', () => notes.getMany(deep)],
      ['BAD_FILTER', () => notes.getMany({ name: { $regex: SECRET } })],
      ['BAD_FILTER', () => messaging.request(did, { requestSchema: 'note', filter: deep })],
      ['BAD_FILTER', () => sharing.request(did, { schema: 'note', filter: deep, purpose: 'x' })],
      ['BAD_MESSAGE', () => messaging.send(did, 'inbox/type/dataSend', { data: [] }, 'x')],
      ['MESSAGE_TOO_LARGE', () => messaging.send(did, 'custom', { t: SECRET.repeat(12_000) }, 'x')],
      ['UNKNOWN_DID', () => messaging.send('nobody', 'custom', {}, 'x')],
      ['NOT_FOUND', () => messaging.accept('00')],
    ];
    for (const [code, work] of tries) expect(await refusalOf(work), code).toBe(code);
    expect(await notes.getMany()).toMatchObject([{ _id: 'kept', name: 'kept', content: 'kept' }]);
    await notes.save({ name: 'after', content: 'still works' });
    expect(await notes.count()).toBe(2);
  });

  it('[PULL-4] an entry that the node cuts short is an alarm, and nothing of the page is used', async () => {
    await ada.account.synced();
    const phone = await net.restore(ada, 'phone');
    await phone.synced();
    const alarms: unknown[] = [];
    phone.open.onAlarm((alarm) => alarms.push(alarm));
    lie = (page, { log }) =>
      log.type === 'own'
        ? { ...page, entries: page.entries.map((e) => ({ ...e, body: e.body?.slice(0, -8) ?? null })) }
        : page;
    await (await ada.account.vault.openDatastore('note')).save({ _id: 'short', name: 'short', content: 'cut' });
    await until(() => alarms.length > 0);
    expect(alarms[0]).toEqual({ type: 'tampered', what: 'changed-entry' });
    const there = await phone.vault.openDatastore('note');
    expect(await there.get('short')).toBeUndefined();
    expect(await there.get('kept')).toMatchObject({ content: 'kept' });
    expect(await refusalOf(() => phone.synced())).toBe('TAMPERED');
  });
});
