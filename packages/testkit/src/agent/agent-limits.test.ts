/** What an agent cannot do, whoever holds it: open or write what it was not given, speak for the owner, or come back once it is shut out. */

import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  base64urlToBytes,
  bytesToHex,
  hexToBytes,
  type JsonObject,
  type JsonValue,
  type StreamId,
  systemRandom,
  toRowId,
  toTag,
} from '@sluice/core/base';
import { hkdf, toAeadKey, writerId } from '@sluice/core/crypto';
import { openDeviceCard } from '@sluice/core/identity';
import { createSeal, NO_SEAL, openEntry, sealEntry } from '@sluice/core/stream';
import { encodePush, ENTRY_KIND, type PushPart, type ErrorCode } from '@sluice/core/wire';
import { type AgentWork, LinkRefusal, openLiveLink } from '@sluice/client';
import { openDb } from '@sluice/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scanBytes, scanForWords } from '../canary-scan.ts';
import { grantItems, post, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';
import { atWork, enrolAgent, type EnrolledAgent } from './agent-fixture.ts';

let net: TestNetwork;
let owner: Persona;
let app: Persona;
let enrolled: EnrolledAgent;
beforeEach(async () => {
  net = await createTestNetwork();
  owner = await net.person('owner');
  app = await net.app('https://reader.example');
  const posts = await owner.account.vault.openDatastore('social/post');
  await posts.saveMany([1, 2, 3].map((i) => post(i, { content: `gooseberry ${i}` })));
  const contacts = await owner.account.vault.openDatastore('social/contact');
  await contacts.save({ _id: 'c1', firstName: 'Medlarine', lastName: 'Medlarson', email: 'medlar@example.org' });
  const write = { operations: ['insert', 'update'], policy: 'propose' } as const;
  await grantItems(owner, app, [{ schema: 'social/post', access: 'readwrite', write }], 'gooseberry purpose');
  const { grants } = await grantItems(
    owner,
    app,
    [{ schema: 'social/contact', access: 'readwrite', write, filter: { lastName: 'Medlarson' } }],
    'medlar purpose',
  );
  const seen = await until(() => grants[0]?.datastore().getOne({}));
  await grants[0]?.datastore().save({ ...seen, firstName: 'Medlarite' });
  await until(() => owner.account.sharing.writes.list().length === 1);
  enrolled = await enrolAgent(net, owner, ['social/post']);
  await atWork(enrolled.work, 1);
  await posts.save(post(4, { content: 'gooseberry 4' }));
  await owner.account.synced();
  await enrolled.work.synced();
});
afterEach(async () => {
  await enrolled.agent.close();
  await net.close();
});

const WORDS = ['Medlar', 'medlar'];

describe('an agent for one type', () => {
  it('[AGT-4] with all bytes of the node and every key it holds opens nothing of another type, nor the keychain', async () => {
    await net.stopNode();
    copyFileSync(join(net.directory, 'node.db'), join(net.directory, 'stolen.db'));
    const entries = readEntries(join(net.directory, 'stolen.db'));
    const keys = keysOf(enrolled.work);
    expect(keys.length).toBeGreaterThan(6);
    const opened = entries.flatMap(({ stream, entry }) => {
      for (const key of keys) {
        const plain = openEntry(toAeadKey(key), stream, entry);
        if (plain.ok) return [{ file: bytesToHex(stream), content: plain.value }];
      }
      return [];
    });
    // The scan finds what the agent is to read.
    expect(scanBytes(opened, ['gooseberry']).hits.length).toBeGreaterThan(3);
    expect(opened.length).toBeLessThan(entries.length);
    const { keychain, home, secret, identityKey } = owner.account.open;
    const named = (name: string, bytes: Uint8Array) => ({ name, bytes });
    const secrets = [
      named('account root', secret.root),
      named('space root', secret.homeRoot.seed.reveal()),
      named('identity', identityKey.seed.reveal()),
      named('tag secret', home.keys.tagSecret),
      named('epoch key', home.keys.epochs.get(1) as Uint8Array),
    ];
    expect(scanBytes(opened, [...WORDS, ...secrets]).hits).toEqual([]);
    expect(new Set(opened.map((o) => o.file)).has(bytesToHex(keychain.collection.stream))).toBe(false);
    const disk = scanForWords(enrolled.store, [...WORDS, 'gooseberry', ...secrets]);
    expect(disk.hits).toEqual([]);
    expect(disk.bytes).toBeGreaterThan(10_000);
  });

  it('[AGT-6] writes no other stream: the node refuses it, and whoever reads it would', async () => {
    const foreign = [...owner.account.open.home.openCollections()].filter(([name]) => !/post|agent/.test(name));
    expect(foreign.length).toBeGreaterThan(3);
    for (const [name, { stream }] of foreign)
      expect([name, await refusalOf(sealed(stream))]).toEqual([name, 'FORBIDDEN']);
    const [grant] = owner.account.sharing.grants.list().filter((g) => g.terms.schema.includes('contact'));
    if (!grant?.lane) throw new Error('there is no grant');
    expect(await refusalOf({ type: 'trim', stream: grant.lane, upTo: 1 })).toBe('FORBIDDEN');
    expect(await refusalOf({ type: 'drain', tags: [toTag(new Uint8Array(16))] })).toBe('FORBIDDEN');
    // Of its own type only the number is wrong.
    expect(await refusalOf(sealed(postStream()))).toBe('GAP');
  });

  it('[ID-23] [AGT-4] has a card for feeds alone, so that it signs no document or message for the owner', () => {
    const { work } = enrolled;
    const card = work.engine
      .collection('handover', { indexes: [], formats: new Map(), merges: new Map() })
      .get('card/me');
    const bytes = base64urlToBytes(String((card?.item as { card?: string } | undefined)?.card));
    const { did, open } = owner.account;
    const at = { did, nowMs: Date.now() };
    expect(openDeviceCard(bytes, open.identityKey.publicKey, { ...at, use: 'feeds' })).toMatchObject({ ok: true });
    expect(openDeviceCard(bytes, open.identityKey.publicKey, at)).toMatchObject({ error: { type: 'wrong-use' } });
  });

  it('[AGT-10] [AGT-7] tells of releases, writes, verdicts and completions, and is not believed in anything else', async () => {
    const { engine } = enrolled.work;
    const { grantId, grantee } = postGrant();
    const shape = { indexes: [], formats: new Map(), merges: new Map() };
    const [handed, activity] = [engine.collection('handover', shape), engine.collection('activity', shape)];
    const event = (id: string, type: string, more: JsonObject = {}) => {
      const write = { n: 1, recordId: 'r', operation: 'insert', accepted: true };
      const document = { at: 1, counter: 0, event: { type, grantId, grantee, ...write, ...more } };
      return { id, document, force: true };
    };
    const ofContact = { grantId: contactGrant().grantId };
    const release = { grantId, grantee, puts: [], deletes: [], first: 1, last: 1 };
    const odd = [
      { puts: [null] },
      { puts: [[7, 7]] },
      { deletes: [{}] },
      { grantee: 'nobody' },
      { first: -1 },
      ofContact,
    ] as const;
    activity.save([
      event(`revoke/${grantId}`, 'revoke'),
      event(`revoke/${grantId}x`, 'verdict'),
      event('settings', 'verdict'),
      event(`verdict/${grantId}/2`, 'verdict', { grantee: null }),
      event(`verdict/${grantId}/3`, 'verdict', { n: 'x' }),
      event(`verdict/${grantId}/4`, 'verdict', { operation: 'erase' }),
      event(`completion/${ofContact.grantId}`, 'completion', ofContact),
      ...odd.map((more, i) => event(`release/${i}`, 'release', { releases: [{ ...release, ...more }] })),
      event('release/large', 'release', { releases: [{ ...release, deletes: ['x'.repeat(850_000)] }] }),
      event('release/fair', 'release', { releases: [{ ...release, puts: ['a', ['b', 5]] }] }),
      event(`write/${grantId}/1`, 'write'),
      event(`verdict/${grantId}/1`, 'verdict'),
    ]);
    for (const fact of ['revoked', 'accepted', 'purged'])
      handed.save([
        { id: `grant-fact/${grantId}/${fact}`, document: { kind: 'grant-fact', item: { at: 1 } }, force: true },
      ]);
    // Nor is it believed of grants that it does not run.
    const foreign = contactGrant().grantId;
    const at = { at: Date.now() };
    handed.save([
      { id: `grant-fact/${foreign}/completed`, document: { kind: 'grant-fact', item: at }, force: true },
      { id: `wanted/pause/${foreign}`, document: { kind: 'wanted', item: at }, force: true },
    ]);
    engine.nudge();
    await enrolled.work.synced();
    const { sharing } = owner.account;
    const told = await until(() => sharing.activity.list().find((e) => e.id === `verdict/${grantId}/1`));
    expect(told.type).toBe('verdict');
    await until(() => sharing.activity.list().find((e) => e.id === `write/${grantId}/1`));
    await owner.account.synced();
    await until(() => activity.size() === 0);
    expect(sharing.activity.list().filter((e) => e.id.startsWith('revoke/'))).toEqual([]);
    const reported = sharing.activity.list().filter((e) => /^(release|completion)\//.test(e.id));
    expect(reported.map((e) => e.id)).toEqual(['release/fair']);
    expect(sharing.activity.kept()).toBeUndefined();
    expect([postGrant().status, contactGrant().status]).toEqual(['live', 'live']);
    await sharing.revoke(grantId);
    expect(sharing.activity.list().filter((e) => e.type === 'revoke')).toHaveLength(1);
  });

  it('[NODE-30] gets no acknowledgement of a revoke', async () => {
    const { grantId } = postGrant();
    await owner.account.sharing.revoke(grantId);
    const { http, device } = owner.account.open;
    const ask = (key: typeof device) =>
      http.revokeAck(enrolled.work.engine.keys.space, toRowId(hexToBytes(grantId)), key);
    expect(await ask(device)).toMatchObject({ ok: true });
    expect(await ask(enrolled.work.engine.writer)).toMatchObject({ error: { code: 'FORBIDDEN' } });
  });
});

describe('an agent that is shut out', () => {
  it('[AGT-8] is refused by the node, and what is written from then on is under keys it lacks', async () => {
    const { work } = enrolled;
    const held = keysOf(work);
    const { id } = enrolled.agent;
    await owner.account.agents.revoke(id);
    await until(() => work.status() === 'revoked');
    expect(await refusalOf(sealed(postStream()))).toBe('REVOKED');
    expect(await refusalOf({ type: 'trim', stream: laneOfPosts(), upTo: 1 })).toBe('FORBIDDEN');
    expect(owner.account.agents.list()).toMatchObject([{ id, status: 'revoked' }]);

    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.save(post(9, { content: 'greengage 9' }));
    await until(() => owner.account.sharing.feedsUpToDate());
    await owner.account.synced();
    const grant = await app.account.sharing.grants.open(postGrant().grantId);
    await until(async () => (await grant.datastore().getMany({ content: 'greengage 9' })).length === 1);
    grant.close();

    await net.stopNode();
    copyFileSync(join(net.directory, 'node.db'), join(net.directory, 'stolen.db'));
    const opened = readEntries(join(net.directory, 'stolen.db')).flatMap(({ stream, entry }) => {
      for (const key of held) {
        const plain = openEntry(toAeadKey(key), stream, entry);
        if (plain.ok) return [{ file: bytesToHex(stream), content: plain.value }];
      }
      return [];
    });
    expect(scanBytes(opened, ['gooseberry']).hits.length).toBeGreaterThan(3);
    expect(scanBytes(opened, ['greengage']).hits).toEqual([]);
  });

  it('[AGT-8] does not come back, and the owner’s other devices and agents go on under the new key', async () => {
    const second = await enrolAgent(net, owner, ['social/post'], 'second');
    await atWork(second.work, 1);
    const phone = await net.restore(owner, 'phone');
    await owner.account.agents.revoke(enrolled.agent.id);
    const again = owner.account.agents.add({ request: enrolled.agent.request, types: ['social/post'], name: 'again' });
    await expect(again).rejects.toMatchObject({ code: 'ALREADY_ANSWERED' });
    const phonePosts = await phone.vault.openDatastore('social/post');
    await phonePosts.save(post(11, { content: 'from the phone' }));
    await phone.synced();
    await owner.account.close();
    await phone.close();
    const grant = await app.account.sharing.grants.open(postGrantOf(app));
    await until(async () => (await grant.datastore().getMany({ content: 'from the phone' })).length === 1);
    const seen = await until(() => grant.datastore().getOne({ name: 'Post 1' }));
    await grant.datastore().save({ ...seen, content: 'proposed' });
    await until(() => grant.pending()[0]?.state === 'waiting');
    grant.close();
    await second.agent.close();
    // A device that joins only now reads everything, what the agent kept included.
    const tablet = await net.restore(owner, 'tablet');
    await tablet.synced();
    const tabletPosts = await tablet.vault.openDatastore('social/post');
    expect(await tabletPosts.count()).toBe(5);
    await until(() => tablet.sharing.writes.list().length === 2);
  });
});

const grantOf = (type: string) => {
  const found = owner.account.sharing.grants.list().find((g) => g.terms.schema.includes(type));
  if (!found) throw new Error('there is no grant');
  return found;
};
const postGrant = () => grantOf('post');
const contactGrant = () => grantOf('contact');
const postGrantOf = ({ account }: Persona): string => {
  const found = account.sharing.grants.received().find((g) => g.terms.schema.includes('post'));
  if (!found) throw new Error('there is no grant');
  return found.grantId;
};
const postStream = (): StreamId => {
  const found = [...owner.account.open.home.openCollections()].find(([name]) => /^social_post$/.test(name));
  if (!found) throw new Error('there is no collection of posts');
  return found[1].stream;
};
const laneOfPosts = (): StreamId => postGrant().lane as StreamId;

/** A batch of one entry by the agent's key. */
function sealed(stream: StreamId): PushPart {
  const { writer } = enrolled.work.engine;
  const header = {
    writer: writerId(writer.publicKey),
    n: 900,
    tag: toTag(systemRandom(16)),
    kind: ENTRY_KIND.PUT,
    hlc: { ms: Date.now(), counter: 0 },
    epoch: 9,
    superseded: [],
    expiresMs: null,
  };
  const entry = sealEntry(toAeadKey(systemRandom(32)), stream, header, new Uint8Array(10), systemRandom);
  return { type: 'sealed', stream, entries: [entry], seal: createSeal(writer, stream, 900, [entry], NO_SEAL) };
}

/** How the node refuses a push of the agent's key. */
async function refusalOf(part: PushPart): Promise<ErrorCode | undefined> {
  const { keys, writer } = enrolled.work.engine;
  const link = openLiveLink(net.platform, keys.node, writer);
  try {
    await link.ready(5000);
    await link.push(keys.space, encodePush([part]));
    return undefined;
  } catch (cause) {
    if (cause instanceof LinkRefusal) return cause.code;
    throw cause;
  } finally {
    link.close();
  }
}

function readEntries(path: string) {
  const db = openDb(path);
  const rows = db.sql('SELECT s.stream, e.header, e.body FROM entry e JOIN stream s ON s.id = e.stream').all();
  db.close();
  return rows.flatMap((row) =>
    row.body === null
      ? []
      : [
          {
            stream: row.stream as unknown as StreamId,
            entry: { header: row.header as Uint8Array, body: row.body as Uint8Array },
          },
        ],
  );
}

/** Every 32 bytes in what an agent was given, and what follows from its secret. */
function keysOf(work: AgentWork): readonly Uint8Array[] {
  const handed = work.engine.collection('handover', { indexes: [], formats: new Map(), merges: new Map() });
  const found: Uint8Array[] = [];
  const collect = (value: JsonValue | undefined): void => {
    if (typeof value === 'string') {
      if (/^[A-Za-z0-9_-]{43}$/.test(value)) found.push(base64urlToBytes(value));
    } else if (value !== null && typeof value === 'object')
      for (const inner of Object.values(value)) collect(inner as JsonValue);
  };
  for (const id of handed.ids()) collect(handed.get(id));
  const { keychain } = owner.account.open;
  for (const { item } of keychain.list('agent')) {
    const secret = base64urlToBytes(String(item.secret));
    found.push(secret, hkdf(secret, 'agent/handover'), hkdf(secret, 'agent/activity'));
  }
  return found;
}
