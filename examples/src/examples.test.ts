import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FeedChange } from '@sluice/client';
import { createTestNetwork, type Persona, type TestNetwork, until } from '@sluice/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endAll, leaveSilo, readOnce, watchEnd } from './ending.ts';
import { saveAnywhere, sendOrSay } from './errors.ts';
import { openApp } from './start.ts';
import { addDevice, createPerson, keepContacts, preferMine } from './accounts.ts';
import { askForLicence, shareFirst } from './request.ts';
import { acceptFrom, sendResult } from './send.ts';
import { approve, saveGame } from './silo.ts';
import { consentTo, followImmunizations } from './synchronize.ts';

describe('the examples of the documentation', () => {
  let net: TestNetwork;
  let person: Persona;
  let app: Persona;

  beforeEach(async () => {
    net = await createTestNetwork();
    person = await net.person('person');
    app = await net.app('https://clinic.example');
  });
  afterEach(() => net.close());

  it('send: a result is accepted from a trusted sender', async () => {
    const saved = new Promise<number>((resolve) => acceptFrom(person.account, app.account.did, resolve));
    const id = await sendResult(app.account, person.account.did);
    expect(await saved).toBe(1);
    await until(() => app.account.messaging.sentStatus(id) === 'accepted');
    expect(app.account.messaging.sentStatus(id)).toBe('accepted');
  });

  it('request: the licence that fits is shared', async () => {
    const licences = await person.account.vault.openDatastore('credential/driving-licence');
    await licences.save({ name: 'Licence', licenceNumber: 'DL-1', country: 'NL' });
    await licences.save({ name: 'Old licence', licenceNumber: 'DL-0', country: 'BE' });
    const answer = askForLicence(app.account, person.account.did);
    const request = await until(() => person.account.mailbox.list({ type: 'inbox/type/dataRequest' })[0]);
    expect(await shareFirst(person.account, request.id)).toBe(1);
    expect(await answer).toBe('DL-1');
  });

  it('silo: the game saves once the origin is approved, and not when it is another', async () => {
    let asked: Uint8Array | undefined;
    const outcome = saveGame(
      app.account,
      (request) => {
        asked = request;
      },
      7,
    );
    const request = await until(() => asked);
    expect(await approve(person.account, request, 'https://clinic.example')).toBe(true);
    expect(await outcome).toBe('connected');
    asked = undefined;
    const second = saveGame(
      app.account,
      (next) => {
        asked = next;
      },
      8,
    );
    expect(await approve(person.account, await until(() => asked), 'https://game.example')).toBe(false);
    expect(await second).toBe('declined');
  });

  it('synchronize: a narrowed grant streams changes', async () => {
    const immunizations = await person.account.vault.openDatastore('fhir/immunization');
    const record = {
      resourceType: 'Immunization',
      status: 'completed',
      vaccineCode: { text: 'Influenza' },
      occurrenceDateTime: new Date(Date.now() - 1000).toISOString(),
    };
    await immunizations.save(record);
    const changes: FeedChange[] = [];
    const following = followImmunizations(app.account, person.account.did, (change) => changes.push(change));
    const request = await until(() => person.account.mailbox.list({ type: 'inbox/type/syncRequest' })[0]);
    expect(await consentTo(person.account, request.id)).toMatch(
      /^clinic\.example may read your Immunizations \(those where occurrenceDateTime is within the last 6 months.* 1 now/,
    );
    const grant = await following;
    await immunizations.save({ ...record, vaccineCode: { text: 'Tetanus' } });
    await until(() => changes.some((c) => JSON.stringify(c.record).includes('Tetanus')));
    expect(await grant?.datastore().count()).toBe(2);
    expect(JSON.stringify(await grant?.datastore().getMany())).not.toContain('status');
  });

  it('accounts: twelve words bring the records to a second device', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-example-'));
    const { account, phrase } = await createPerson(net.platform, join(directory, 'a'), 'first passphrase');
    expect(await keepContacts(account)).toBe(1);
    expect(await preferMine(account, '')).toBe(0);
    await account.synced();
    const phone = await addDevice(net.platform, join(directory, 'b'), 'second passphrase', phrase);
    expect(await (await phone.vault.openDatastore('social/contact')).count()).toBe(1);
    await account.close();
    await phone.close();
    rmSync(directory, { recursive: true });
  });

  it('start: an application’s account is made once and opened after that', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-example-'));
    const options = {
      directory,
      passphrase: 'a passphrase',
      origin: 'https://new.example',
      node: 'https://node.sluice.test',
    };
    const first = await openApp(options, net.platform);
    expect([first.account.did, first.phrase?.split(' ').length]).toEqual(['did:web:new.example', 12]);
    await first.account.close();
    const second = await openApp(options, net.platform);
    expect([second.account.did, second.phrase]).toEqual(['did:web:new.example', undefined]);
    await second.account.close();
    await expect(openApp({ ...options, passphrase: 'not the one' }, net.platform)).rejects.toMatchObject({
      code: 'WRONG_PASSPHRASE',
    });
    rmSync(directory, { recursive: true });
  });

  it('errors: each has a sentence', async () => {
    expect(await sendOrSay(app.account, person.account.did, [{ schema: 'note' }])).toBe('sent');
    expect(await sendOrSay(app.account, 'nobody', [])).toContain('nobody to send to');
    expect(await sendOrSay(app.account, person.account.did, [])).toContain('/data');
    const large = { schema: 'note', content: 'x'.repeat(300_000) };
    expect(await sendOrSay(app.account, person.account.did, [large])).toContain('too large');
  });

  it('offline: what is saved is kept, and sent when the node is back', async () => {
    expect(await saveAnywhere(person.account, 'first')).toBe('at the node');
    await net.stopNode();
    expect(await saveAnywhere(person.account, 'second')).toBe('kept here');
    await net.startNode();
    await person.account.synced();
    const phone = await net.restore(person, 'phone');
    expect(await (await phone.vault.openDatastore('note')).count()).toBe(2);
  });

  it('ending: once-off, revoked, given back', async () => {
    const contacts = await person.account.vault.openDatastore('social/contact');
    await contacts.save({ name: 'Me', mobile: '+31 6 1111 1111' });
    const once = readOnce(app.account, person.account.did);
    const first = await until(() => person.account.mailbox.list({ type: 'inbox/type/syncRequest' })[0]);
    await person.account.sharing.consent(first.id);
    expect(await once).toBe('+31 6 1111 1111');

    const follow = followImmunizations(app.account, person.account.did, () => undefined);
    const second = await until(() =>
      person.account.mailbox.list({ type: 'inbox/type/syncRequest' }).find((item) => item.status === undefined),
    );
    await person.account.sharing.consent(second.id);
    const grant = await follow;
    const ended = new Promise((resolve) => grant && watchEnd(grant, resolve));
    await until(() => person.account.sharing.feedsUpToDate());
    expect(await endAll(person.account, app.account.did)).toBeGreaterThan(0);
    expect(await ended).toBe('revoked');

    const asked = await app.account.connect.request('Notes');
    await person.account.connect.approve(asked.document);
    const outcome = await asked.answer();
    if (outcome.status !== 'connected') throw new Error(outcome.status);
    outcome.session.open(app.account.schemas);
    await leaveSilo(outcome.session);
    await expect(outcome.session.synced(1000)).rejects.toMatchObject({ name: 'SluiceError' });
  });
});
