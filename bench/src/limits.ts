/** What this machine can do by itself, measured in the same run: the bounds that the figures stand beside. */

import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom } from '@sluice/core/base';
import {
  createHpkeKeyPair,
  createSigningKey,
  openAead,
  openHpke,
  sealAead,
  sealHpke,
  sign,
  toAeadKey,
  verify,
} from '@sluice/core/crypto';
import { type Db, openDb } from '@sluice/sqlite';
import { WebSocket, WebSocketServer } from 'ws';

export const LIMIT = {
  seal: 'seal 1 KiB (XChaCha20-Poly1305)',
  open: 'open 1 KiB',
  sign: 'sign 1 KiB (Ed25519)',
  verify: 'verify 1 KiB',
  hpkeSeal: 'seal 1 KiB to a public key (HPKE)',
  hpkeOpen: 'open 1 KiB with a private key (HPKE)',
  insertFull: 'SQLite insert 1 KiB, 500 a transaction, FULL',
  commitFull: 'SQLite insert 1 KiB, 1 a transaction, FULL',
  insertNormal: 'SQLite insert 1 KiB, 500 a transaction, NORMAL',
  commitNormal: 'SQLite insert 1 KiB, 1 a transaction, NORMAL',
  scan: 'SQLite read 1 KiB rows in order',
  echo: 'WebSocket echo 1 KiB, one at a time, p50',
} as const;
export type LimitName = (typeof LIMIT)[keyof typeof LIMIT];
export type Limit = { readonly name: LimitName; readonly value: number; readonly unit: '/s' | 'rows/s' | 'ms' };

const rate = (count: number, body: () => void): number => {
  const start = performance.now();
  body();
  return (count * 1000) / (performance.now() - start);
};

/** Measures the raw limits. Takes about five seconds. */
export async function measureLimits(): Promise<Limit[]> {
  const bytes = systemRandom(1024);
  const key = toAeadKey(systemRandom(32));
  const aad = systemRandom(64);
  const signing = createSigningKey(systemRandom);
  const sealed = sealAead(key, aad, bytes, systemRandom);
  const signature = sign(signing, 'bench', bytes);
  const repeat = (count: number, body: () => void) =>
    rate(count, () => {
      for (let i = 0; i < count; i++) body();
    });
  const hpke = createHpkeKeyPair(systemRandom);
  const toOpen = await sealHpke(hpke.publicKey, aad, aad, bytes);
  const limits: Limit[] = [
    { name: LIMIT.seal, value: repeat(20_000, () => sealAead(key, aad, bytes, systemRandom)), unit: '/s' },
    { name: LIMIT.open, value: repeat(20_000, () => openAead(key, aad, sealed)), unit: '/s' },
    { name: LIMIT.sign, value: repeat(4_000, () => sign(signing, 'bench', bytes)), unit: '/s' },
    {
      name: LIMIT.verify,
      value: repeat(2_000, () => verify(signing.publicKey, signature, 'bench', bytes)),
      unit: '/s',
    },
    {
      name: LIMIT.hpkeSeal,
      value: await repeatLater(2_000, () => sealHpke(hpke.publicKey, aad, aad, bytes)),
      unit: '/s',
    },
    { name: LIMIT.hpkeOpen, value: await repeatLater(2_000, () => openHpke(hpke, aad, aad, toOpen)), unit: '/s' },
    { name: LIMIT.insertFull, value: inDatabase('FULL', (db) => insertRate(db, 500, 20_000, bytes)), unit: 'rows/s' },
    { name: LIMIT.commitFull, value: inDatabase('FULL', (db) => insertRate(db, 1, 1_000, bytes)), unit: 'rows/s' },
    {
      name: LIMIT.insertNormal,
      value: inDatabase('NORMAL', (db) => insertRate(db, 500, 20_000, bytes)),
      unit: 'rows/s',
    },
    { name: LIMIT.commitNormal, value: inDatabase('NORMAL', (db) => insertRate(db, 1, 1_000, bytes)), unit: 'rows/s' },
    { name: LIMIT.scan, value: inDatabase('NORMAL', (db) => scanRate(db, 20_000, bytes)), unit: 'rows/s' },
  ];
  limits.push({ name: LIMIT.echo, value: await echoMs(bytes), unit: 'ms' });
  return limits;
}

async function repeatLater(count: number, body: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < count; i++) await body();
  return (count * 1000) / (performance.now() - start);
}

/** Measures in a fresh database with one table. */
function inDatabase(synchronous: 'FULL' | 'NORMAL', measure: (db: Db) => number): number {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-limit-'));
  const db = openDb(join(directory, 'limit.db'), { synchronous });
  db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)');
  const result = measure(db);
  db.close();
  rmSync(directory, { recursive: true });
  return result;
}

function insertRate(db: Db, batch: number, count: number, bytes: Uint8Array): number {
  const insert = db.sql('INSERT INTO t (body) VALUES (?)');
  return rate(count, () => {
    for (let at = 0; at < count; at += batch) {
      db.transact(() => {
        for (let i = 0; i < batch; i++) insert.run(bytes);
      });
    }
  });
}

function scanRate(db: Db, count: number, bytes: Uint8Array): number {
  insertRate(db, 500, count, bytes);
  return rate(count, () => {
    for (let at = 0; at < count; at += 500) db.sql('SELECT id, body FROM t WHERE id > ? ORDER BY id LIMIT 500').all(at);
  });
}

async function echoMs(bytes: Uint8Array): Promise<number> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  await new Promise((resolve) => server.once('listening', resolve));
  const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    perMessageDeflate: false,
  });
  await new Promise((resolve) => socket.once('open', resolve));
  const times: number[] = [];
  for (let i = 0; i < 1_000; i++) {
    const start = performance.now();
    const back = new Promise((resolve) => socket.once('message', resolve));
    socket.send(bytes);
    await back;
    times.push(performance.now() - start);
  }
  socket.close();
  server.close();
  return times.sort((a, b) => a - b)[500] as number;
}
