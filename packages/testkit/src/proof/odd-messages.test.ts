/** Messages that verify and hold nonsense: anybody may send them, and none may stop the account that they are for. */

import { SluiceError } from '@sluice/client';
import type { JsonObject } from '@sluice/core/base';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

/** What no text and no number can be made of. */
const ODD = { toString: null, valueOf: 1 };
const NAMES = [ODD, null, 7, '', '/', '__proto__', 'constructor', '\u{10ffff}', 'x'.repeat(10_000)];
const MESSAGES: readonly (readonly [name: string, data: JsonObject])[] = [
  ['syncRequest', { purpose: ODD, request: ODD }],
  ['datastoreSync', { purpose: ODD, schema: ODD, filter: ODD, direction: ODD }],
  ['syncGrant', { replyId: ODD, grants: NAMES, receipt: ODD }],
  ['syncAccept', { grants: NAMES, acceptance: ODD }],
  ['syncTerms', { grantId: ODD, receipt: ODD }],
  ['syncDrop', { grants: NAMES, attestation: ODD }],
  ['syncWiped', { grants: NAMES, attestation: ODD }],
  ['syncHeard', { grants: NAMES, replyId: ODD }],
  ['status', { replyId: ODD, status: ODD }],
  ['dataSend', { data: ODD }],
  ['dataSend', { data: [ODD, { schema: ODD }, { schema: 'social/post', name: ODD }] }],
  ['dataRequest', { requestSchema: ODD, filter: ODD, userSelect: ODD, fallbackAction: { label: ODD, url: ODD } }],
  ['dataRequest', { requestSchema: 'social/post', filter: ODD, userSelectLimit: ODD }],
  ['message', { subject: ODD, message: ODD, link: ODD }],
];

describe('a message whose parts are of the wrong form', () => {
  let net: TestNetwork;
  afterEach(() => net.close());

  it('[MSG-13] stops neither the account that it comes to nor the next start of it', async () => {
    net = await createTestNetwork();
    const owner = await net.person('owner');
    const stranger = await net.app('https://stranger.example');
    const ids: string[] = [];
    for (const [name, data] of MESSAGES) {
      const type = `inbox/type/${name}`;
      const item = { to: owner.account.did, type, data, message: 'odd', options: {} };
      ids.push((await stranger.account.mailbox.post(item, { after: 'forget' })).id);
    }
    await until(() => ids.every((id) => owner.account.mailbox.get(id)));
    await owner.account.close();
    const account = await net.reopen(owner);
    await account.synced();
    expect(ids.every((id) => account.mailbox.get(id))).toBe(true);
    // What looks like a request can be declined.
    const requests = await account.sharing.requests();
    expect(requests).toHaveLength(2);
    for (const { id } of requests) {
      await expect(account.sharing.preview(id)).rejects.toBeInstanceOf(SluiceError);
      await account.sharing.decline(id);
    }
    expect(await account.sharing.requests()).toEqual([]);
    const { messaging, mailbox } = account;
    for (const { id } of mailbox.list({ type: 'inbox/type/dataSend' }))
      await expect(messaging.accept(id)).rejects.toBeInstanceOf(SluiceError);
    for (const { id } of mailbox.list({ type: 'inbox/type/dataRequest' })) {
      await expect(messaging.matching(id)).rejects.toBeInstanceOf(SluiceError);
      await messaging.decline(id);
    }
  });
});
