import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FeedChange } from '@sluice/client';
import { createTestNetwork, type Persona, type TestNetwork, until } from '@sluice/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addDevice, createPerson, keepContacts } from './accounts.ts';
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
    await account.synced();
    const phone = await addDevice(net.platform, join(directory, 'b'), 'second passphrase', phrase);
    expect(await (await phone.vault.openDatastore('social/contact')).count()).toBe(1);
    await account.close();
    await phone.close();
    rmSync(directory, { recursive: true });
  });
});
