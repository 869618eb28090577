import { bytesToBase64url, bytesToHex, type JsonObject, toDid } from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import { openConsentReceipt, signAcceptance } from '@sluice/core/grant';
import { createDidResolver } from '@sluice/core/identity';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { grantItems, type SharedPosts, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

describe('receipts of grants', () => {
  let net: TestNetwork;
  let shared: SharedPosts;
  beforeEach(async () => {
    net = await createTestNetwork();
    shared = await sharePosts(net, { fields: ['name'] });
  });
  afterEach(() => net.close());

  const exported = (grantId = shared.given.grantId) => shared.owner.account.sharing.receipts.export(grantId);
  /** Checked by somebody who has the file and can look DIDs up, and is neither side. */
  const check = async (json: JsonObject) => {
    const pins = { get: async () => undefined, set: async () => undefined };
    const resolver = createDidResolver({ fetchText: net.platform.fetchText, clock: net.clock, pins });
    const opened = await openConsentReceipt(JSON.parse(JSON.stringify(json)) as JsonObject, {
      resolve: resolver.resolve,
      nowMs: net.clock.nowMs(),
    });
    if (!opened.ok) throw new Error(JSON.stringify(opened.error));
    return opened.value;
  };
  /** The requester's SDK accepts by itself what is given as asked. */
  const accepted = () => until(() => shared.owner.account.mailbox.list({ type: 'inbox/type/syncAccept' })[0]);
  const accept = async (signer: Persona, sender: Persona, receipt: string): Promise<void> => {
    const { did, device, card } = signer.account.open;
    const acceptance = signAcceptance(
      { receipt, grants: [shared.given.grantId], acceptedAtMs: net.clock.nowMs() },
      { did, key: device, card },
    );
    const sent = await sender.account.mailbox.send(
      shared.owner.account.did,
      'inbox/type/syncAccept',
      { replyId: shared.given.requestId, acceptance: bytesToBase64url(acceptance) },
      'Accepted',
    );
    await until(() => shared.owner.account.mailbox.get(sent.id));
  };

  it('[RCPT-9] [RCPT-10] a consent is exported with its terms and parties, and a third one checks it from the file', async () => {
    await accepted();
    const json = await exported();
    const { receipt, acceptances } = await check(json);
    expect(receipt.grants).toEqual([{ grantId: shared.given.grantId, terms: shared.given.terms }]);
    expect([receipt.owner, receipt.grantee]).toEqual([shared.owner.account.did, shared.app.account.did]);
    expect(receipt.hash).toBe(bytesToHex(sha256(shared.given.receipt)));
    expect(acceptances).toMatchObject([{ grantee: shared.app.account.did, grants: [shared.given.grantId] }]);
    expect(json).toMatchObject({
      content: {
        pii_processing: {
          privacy_notice: receipt.shown,
          purposes: [
            {
              purpose: 'for a test',
              pii_information: [{ pii_type: shared.given.terms.schema, pii_attribute_id: 'name', pii_optional: false }],
              storage_locations: ['https://node.sluice.test'],
            },
          ],
        },
        party_identification: [
          { party_id: shared.owner.account.did },
          { party_id: shared.app.account.did, party_name: 'reader.example', party_url: 'https://reader.example' },
          { party_id: 'did:web:node.sluice.test' },
        ],
        event: [{ event_state: 'consent given', entity_id: shared.owner.account.did }],
      },
    });
  });

  it('[RCPT-4] [RCPT-9] what the grantee accepted is in it, and nothing that another one signed', async () => {
    const hash = bytesToHex(sha256(shared.given.receipt));
    await accepted();
    const before = (await check(await exported())).acceptances;
    const stranger = await net.app('https://stranger.example');
    await accept(stranger, stranger, hash);
    await accept(stranger, shared.app, hash);
    await accept(shared.app, shared.app, '00'.repeat(32));
    expect((await check(await exported())).acceptances).toEqual(before);
    await accept(shared.app, shared.app, hash);
    expect((await check(await exported())).acceptances).toHaveLength(2);
  });

  it('[RCPT-9] the end of a grant is an event of its consent, which another consent does not show', async () => {
    const { given } = await grantItems(shared.owner, shared.app, [{ schema: 'social/post' }]);
    await shared.owner.account.sharing.revoke(shared.given.grantId);
    const states = async (grantId?: string) =>
      ((await exported(grantId)).content as unknown as { event: { event_state: string }[] }).event.map(
        (e) => e.event_state,
      );
    expect(await states()).toEqual(['consent given', 'consent withdrawn']);
    expect(await states(given[0]?.grantId)).toEqual(['consent given']);
    await check(await exported());
    await expect(exported('00'.repeat(16))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('[RCPT-4] an acceptance that names a signer who is never found keeps no consent from being exported', async () => {
    await accepted();
    const before = await exported();
    const { device, card } = shared.app.account.open;
    const receipt = bytesToHex(sha256(shared.given.receipt));
    const content = { receipt, grants: [shared.given.grantId], acceptedAtMs: net.clock.nowMs() };
    const document = signAcceptance(content, { did: toDid('did:web:nowhere.example'), key: device, card });
    const { grantId, requestId } = shared.given;
    const data = { replyId: requestId, grants: [grantId], acceptance: bytesToBase64url(document) };
    const { mailbox } = shared.app.account;
    const { id } = await mailbox.send(shared.owner.account.did, 'inbox/type/syncAccept', data, 'x');
    await until(() => shared.owner.account.mailbox.get(id));
    expect(await exported()).toEqual(before);
  });
});
