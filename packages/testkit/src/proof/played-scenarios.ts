/**
 * All four scenarios in one play, from words that are made up once: to look for each of them at the node afterwards, and to play the
 * same steps in a world of other words.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, createSystemClock, type JsonObject } from '@sluice/core/base';
import { type Account, type AppSession, type GrantHandle, Network, VaultAccount } from '@sluice/client';
import { grantItems, until } from '../sharing-fixture.ts';
import type { Persona, TestNetwork } from '../test-network.ts';

/** The words of a play: `name` for what things are called (ids, fields, schemas, contexts), `text` for what they say. */
export type World = {
  readonly name: (what: string) => string;
  readonly text: (what: string) => string;
  /** The id of a record that is shared. */
  readonly sharedId: (i: number) => string;
  /** The place of the `i`th of `count` records when they are ordered by value. */
  readonly rank: (i: number, count: number) => number;
  /** Every word that was used. */
  readonly words: () => readonly string[];
};
/** Marks of the same length in every world that is compared, so that worlds differ in no length. */
export type WorldMarks = {
  readonly names: string;
  readonly texts: string;
  readonly sharedIds?: string;
  readonly rank?: World['rank'];
};

/** Creates a world whose words begin with its marks. */
export function createWorld({ names, texts, sharedIds = names, rank = (i) => i }: WorldMarks): World {
  const used = new Set<string>();
  const use = (word: string): string => {
    used.add(word);
    return word;
  };
  return {
    name: (what) => use(`${names}-${what}`),
    text: (what) => use(`${texts}-${what}`),
    sharedId: (i) => use(`${sharedIds}-contact-${i}`),
    rank,
    words: () => [...used],
  };
}

export type Played = {
  readonly owner: Persona;
  readonly clinic: Persona;
  readonly game: Persona;
  readonly reader: Persona;
  readonly phone: Account;
  readonly session: AppSession;
  readonly live: GrantHandle;
  readonly revoked: GrantHandle;
};

/** A clock that stands still until it is told to go on. Timers run in real time. */
export function createStageClock(startMs: number): Clock & { readonly advance: (ms: number) => void } {
  let atMs = startMs;
  const system = createSystemClock();
  return {
    ...system,
    nowMs: () => atMs,
    advance: (ms) => {
      atMs += ms;
    },
  };
}

const CONTACTS = 6;

/** Plays send, request, silo and synchronize, with a revoke, a closed session and a second device at the end. `step` lets time pass. */
export async function playScenarios(net: TestNetwork, world: World, step: () => void): Promise<Played> {
  const { name } = world;
  const owner = await net.person('owner');
  const clinic = await net.app(`https://${name('clinic')}.example`);
  const game = await net.app(`https://${name('game')}.example`);
  const reader = await net.app(`https://${name('reader')}.example`);
  const everybody = [owner, clinic, game, reader].map((persona) => persona.account);
  /**
   * Waits until nobody has anything left to do, twice, since the last may have given the first something to do. Comes after every message:
   * whether two are saved in one step or in two hangs on when they arrive.
   */
  const settle = async (): Promise<void> => {
    for (let round = 0; round < 2; round++) {
      for (const account of everybody) await account.synced();
      await until(() => owner.account.sharing.feedsUpToDate());
    }
    step();
  };
  await settle();

  await playOwnRecords(net, owner, world);
  await settle();
  await playSend(owner, clinic, world, settle);
  await playRequest(owner, clinic, world, settle);
  const session = await playSilo(owner, game, world, settle);
  const grants = await playSynchronize(owner, reader, clinic, world, settle);
  const phone = await net.restore(owner, 'phone');
  await phone.synced();
  await settle();
  return { owner, clinic, game, reader, phone, session, ...grants };
}

/** Records of every kind: of a bundled schema, of one from elsewhere, of none, under ids that the person chose. */
async function playOwnRecords(net: TestNetwork, { account }: Persona, world: World): Promise<void> {
  const { name, text, rank } = world;
  const contacts = await account.vault.openDatastore('social/contact');
  for (let i = 0; i < CONTACTS; i++)
    await contacts.save({
      _id: world.sharedId(i),
      firstName: text(`first-${i}`),
      lastName: text(`last-${rank(i, CONTACTS)}`),
      email: `${text(`mail-${i}`)}@example.org`,
    });
  const schemaFile = join(net.directory, 'journal.json');
  writeFileSync(schemaFile, JSON.stringify(journalSchema(world)));
  const journal = await account.vault.openDatastore(`file://${schemaFile}`);
  await journal.save({ _id: name('entry-1'), [name('mood')]: text('mood'), [name('pain')]: 7 });
  const secrets = await account.vault.openDatabase(name('database'));
  await secrets.saveMany([
    {
      _id: name('secret-1'),
      [name('field')]: text('diagnosis'),
      [name('nested')]: { [name('inner')]: [text('item')] },
    },
    { _id: name('secret-2'), [name('field')]: text('passed') },
  ]);
  await secrets.save({ ...(await secrets.get(name('secret-1'))), [name('field')]: text('reviewed') });
  await secrets.delete(name('secret-2'));
}

const journalSchema = ({ name }: World): JsonObject => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: `https://${name('schemas')}.example/journal/v1/schema.json`,
  title: name('title'),
  database: { name: name('journal').replaceAll('-', '_'), indexes: { mood: [name('mood')] } },
  type: 'object',
  properties: { [name('mood')]: { type: 'string' }, [name('pain')]: { type: 'number' } },
});

/** Scenario 1, and plain messages. */
async function playSend(owner: Persona, clinic: Persona, world: World, settle: () => Promise<void>): Promise<void> {
  const { name, text } = world;
  const { messaging } = clinic.account;
  const records = [1, 2].map((i) => ({ schema: 'note', name: text(`result-${i}`), content: text(`finding-${i}`) }));
  const sent = await messaging.send(owner.account.did, 'inbox/type/dataSend', { data: records }, text('send'));
  await settle();
  const refused = await messaging.send(
    owner.account.did,
    'inbox/type/dataSend',
    { data: [{ schema: 'note', name: text('advert'), content: text('offer') }] },
    text('unwanted'),
  );
  await settle();
  await owner.account.messaging.accept(sent.id);
  await settle();
  await owner.account.messaging.decline(refused.id);
  await settle();
  const plain = await messaging.send(
    owner.account.did,
    'inbox/type/message',
    { subject: text('subject'), message: text('body') },
    text('greeting'),
  );
  await settle();
  await messaging.send(owner.account.did, name('custom-type'), { [name('custom-field')]: text('custom') }, text('own'));
  await settle();
  await owner.account.messaging.reply(plain.id, { subject: text('re'), message: text('thanks') }, text('answer'));
  await settle();
}

/** Scenario 2: one request is answered, one declined. */
async function playRequest(owner: Persona, clinic: Persona, world: World, settle: () => Promise<void>): Promise<void> {
  const { text } = world;
  const ask = (purpose: string) =>
    clinic.account.messaging.request(owner.account.did, {
      requestSchema: 'social/contact',
      filter: { firstName: { $in: [text('first-1'), text('first-none')] } },
      userSelect: true,
      purpose,
    });
  const answered = await ask(text('ask-purpose'));
  await settle();
  const declined = await ask(text('ask-again'));
  await settle();
  const [fitting] = await owner.account.messaging.matching(answered.id);
  await owner.account.messaging.share(answered.id, [String(fitting?._id)]);
  await settle();
  await owner.account.messaging.decline(declined.id);
  await settle();
  if (answered.status() !== 'shared' || declined.status() !== 'declined') throw new Error('scenario 2 did not play');
}

/** Scenario 3: a silo with records and a message; a second session of it is closed, so that it has two key epochs. */
async function playSilo(owner: Persona, game: Persona, world: World, settle: () => Promise<void>): Promise<AppSession> {
  const { name, text } = world;
  const connect = async (): Promise<{ session: AppSession; id: string }> => {
    const pending = await game.account.connect.request(name('silo'));
    const { id } = await owner.account.connect.approve(pending.document);
    const outcome = await pending.answer();
    if (outcome.status !== 'connected') throw new Error(outcome.status);
    await outcome.session.synced();
    await settle();
    return { session: outcome.session, id };
  };
  const first = await connect();
  const second = await connect();
  const account = new VaultAccount(first.session, game.account.schemas);
  const context = await Network.connect({ account, context: { name: name('silo') } });
  const saves = await context.openDatastore('game/save');
  await saves.save({ _id: name('slot'), name: text('slot'), level: 3 });
  await first.session.synced();
  await game.account.messaging.send(
    owner.account.did,
    'inbox/type/message',
    { subject: text('level'), message: text('play-on') },
    text('to-silo'),
    { context: name('silo'), contextApp: game.account.did },
  );
  await settle();
  await owner.account.connect.closeSession(second.id);
  await until(() => context.engine.keys.epochs.size === 2);
  await settle();
  await saves.save({ _id: name('slot-2'), name: text('slot-2'), level: 4 });
  await first.session.synced();
  await settle();
  return first.session;
}

/** Scenario 4: two grants; one stays live, one is revoked. */
async function playSynchronize(
  owner: Persona,
  reader: Persona,
  clinic: Persona,
  world: World,
  settle: () => Promise<void>,
): Promise<{ live: GrantHandle; revoked: GrantHandle }> {
  const { text } = world;
  const share = async (app: Persona, fields: readonly string[], purpose: string) => {
    const filter = { lastName: { $gte: text('last-1') } };
    // Step by step: what is released first and the word that the grant is taken would else come in any order.
    const items = [{ schema: 'social/contact', filter, fields }];
    const { given, grants } = await grantItems(owner, app, items, purpose, settle);
    const [one] = given;
    const [grant] = grants;
    if (!one || !grant) throw new Error('no grant was given');
    await settle();
    return { given: one, grant };
  };
  const live = await share(reader, ['lastName', 'email'], text('live-purpose'));
  const ended = await share(clinic, ['firstName'], text('ended-purpose'));
  const contacts = await owner.account.vault.openDatastore('social/contact');
  await contacts.save({ ...(await contacts.get(world.sharedId(2))), email: `${text('moved')}@example.org` });
  await settle();
  await contacts.save({ ...(await contacts.get(world.sharedId(3))), lastName: text('aside') });
  await settle();
  await owner.account.sharing.revoke(ended.given.grantId);
  await until(() => ended.grant.status() === 'revoked');
  await settle();
  await contacts.save({ ...(await contacts.get(world.sharedId(4))), firstName: text('renamed') });
  await settle();
  return { live: live.grant, revoked: ended.grant };
}
