/** What a node and a stolen disk hold after all four scenarios: none of the words, ids, names or keys that were in play. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bytesToHex } from '@sluice/core/base';
import { parseRecoveryPhrase } from '@sluice/core/crypto';
import { openDb } from '@sluice/sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Canary, scanBytes, scanForWords } from '../canary-scan.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';
import { createStageClock, createWorld, type Played, playScenarios, type World } from './played-scenarios.ts';

const PLAY_MS = 60_000;
const NODE_FILES = /^node\.db(-wal|-shm)?$/;

describe('after all four scenarios', () => {
  let net: TestNetwork;
  let world: World;
  let played: Played;
  let log = '';
  let canaries: readonly Canary[];

  beforeAll(async () => {
    const clock = createStageClock(Date.UTC(2026, 3, 1, 12));
    const logger = {
      level: 'trace',
      hooks: {
        streamWrite: (line: string) => {
          log += line;
          return '';
        },
      },
    };
    net = await createTestNetwork({ clock, logger });
    world = createWorld({ names: 'quince', texts: 'walnut' });
    played = await playScenarios(net, world, () => clock.advance(1000));
    canaries = [...world.words(), ...secretsOf(played)];
  }, PLAY_MS);
  afterAll(() => net.close());

  it('enough was in play, and the other side can read it', async () => {
    expect(canaries.length).toBeGreaterThan(60);
    const [shown] = await played.live.datastore().getMany({ email: 'walnut-moved@example.org' });
    expect(Object.keys(shown ?? {}).sort()).toEqual(['_id', 'email', 'lastName', 'schema']);
    const phoneContacts = await played.phone.vault.openDatastore('social/contact');
    expect(await phoneContacts.count()).toBe(6);
    expect(await played.owner.account.mailbox.list()).not.toEqual([]);
  });

  it('[LEAK-1] the node’s database, write-ahead log and index hold no word and no key', () => {
    const { hits, files, bytes } = scanForWords(net.directory, canaries, (path) => NODE_FILES.test(path));
    expect(hits).toEqual([]);
    expect(files).toBe(3);
    expect(bytes).toBeGreaterThan(100_000);
  });

  it('[LEAK-1] nor does any value of its tables, read as a database does', () => {
    const cells = cellsOf(join(net.directory, 'node.db'));
    expect(cells.length).toBeGreaterThan(500);
    expect(scanBytes(cells, canaries).hits).toEqual([]);
  });

  it('[LEAK-1] nor its log at the most verbose level', async () => {
    await fetch(`${net.node.url}/v1/spaces/${world.name('probe')}/pull?log=${world.name('query')}`);
    expect(log.split('\n').length).toBeGreaterThan(30);
    expect(log).toContain('"route":"/v1/spaces/:space/pull"');
    const lines = [{ file: 'log', content: Buffer.from(log) }];
    expect(scanBytes(lines, [...canaries, ...world.words()]).hits).toEqual([]);
  });

  it('[LEAK-2] a stolen disk of a person or an app holds no word and no key', () => {
    const stores = [played.owner, played.clinic, played.game, played.reader].map((p) => p.store);
    for (const store of [...stores, join(net.directory, 'phone')]) {
      const host = store.split('/').at(-1) ?? '';
      // A store tells whose it is, and nobody whom its owner deals with.
      const hidden = canaries.filter((canary) => typeof canary !== 'string' || !host.startsWith(canary));
      const searched = [...hidden, ...partnersOf(host)];
      const { hits, bytes } = scanForWords(store, searched);
      expect(hits).toEqual([]);
      expect(bytes).toBeGreaterThan(10_000);
      expect(scanBytes(cellsOf(join(store, 'store.db')), searched).hits).toEqual([]);
    }
  });

  /** The DIDs of everybody but the store's own account. */
  function partnersOf(host: string): string[] {
    const own = host === 'phone' ? 'owner' : host;
    return [played.owner, played.clinic, played.game, played.reader]
      .filter((p) => !p.store.endsWith(own))
      .map((p) => p.account.did);
  }

  it('the scan finds each of them where it is planted', () => {
    for (const canary of canaries) {
      const bytes = Buffer.from(typeof canary === 'string' ? canary : canary.bytes);
      const content = Buffer.from(Buffer.concat([Buffer.from('..'), bytes, Buffer.from('.')]).toString('base64url'));
      expect(scanBytes([{ file: 'planted', content }], [canary]).hits).not.toEqual([]);
    }
    expect(readdirSync(net.directory).filter((name) => NODE_FILES.test(name))).toHaveLength(3);
  });
});

/** Keys and words that open things, of everybody who played. */
function secretsOf({ owner, clinic, game, reader, phone, session, live }: Played): Canary[] {
  const secrets: Canary[] = ['test passphrase'];
  const add = (name: string, bytes: Uint8Array | undefined): void => {
    if (bytes) secrets.push({ name: `${name} ${bytesToHex(bytes).slice(0, 4)}`, bytes });
  };
  for (const { account, phrase } of [owner, clinic, game, reader]) {
    secrets.push(phrase, phrase.split(' ').slice(0, 4).join(' '));
    const entropy = parseRecoveryPhrase(phrase);
    if (entropy.ok) add('recovery entropy', entropy.value.reveal());
    const { secret, device, identityKey, sealing, home } = account.open;
    add('account root', secret.root);
    add('root of the home space', secret.homeRoot.seed.reveal());
    add('device', device.seed.reveal());
    add('identity', identityKey.seed.reveal());
    add('sealing', sealing.secret.reveal());
    add('tag secret', home.keys.tagSecret);
    add('ctl key', home.keys.ctlKey);
    for (const key of home.keys.epochs.values()) add('epoch', key);
    for (const received of account.sharing.grants.received()) {
      add('grant key', received.key);
      add('pairwise', received.pairwise.seed.reveal());
    }
    for (const given of account.sharing.grants.list()) add('grant secret', given.secret);
  }
  add('second device', phone.open.device.seed.reveal());
  const silo = session.open(game.account.schemas).engine;
  add('session', silo.writer.seed.reveal());
  add('silo tag secret', silo.keys.tagSecret);
  for (const key of silo.keys.epochs.values()) add('silo epoch', key);
  add('receipt', live.receipt);
  return secrets;
}

/** Every value of every table: what a page's border may have cut apart in the file. */
function cellsOf(path: string): { file: string; content: Uint8Array }[] {
  const db = openDb(path);
  const tables = db.sql("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
  const cells = tables.flatMap(({ name }) =>
    db
      .sql(`SELECT * FROM ${String(name)}`)
      .all()
      .flatMap((row) =>
        Object.entries(row).map(([column, value]) => ({
          file: `${String(name)}.${column}`,
          content: value instanceof Uint8Array ? value : Buffer.from(String(value)),
        })),
      ),
  );
  db.close();
  return cells;
}
