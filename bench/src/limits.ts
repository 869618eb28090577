/** What this machine can do by itself, measured in the same run: the bounds that the figures stand beside. */

import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom } from '@sluice/core/base';
import { createSigningKey, openAead, sealAead, sign, toAeadKey, verify } from '@sluice/core/crypto';
import { openDb } from '@sluice/sqlite';
import { WebSocket, WebSocketServer } from 'ws';

export type Limit = { readonly name: string; readonly value: number; readonly unit: string };

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
  const limits: Limit[] = [
    {
      name: 'seal 1 KiB (XChaCha20-Poly1305)',
      value: repeat(20_000, () => sealAead(key, aad, bytes, systemRandom)),
      unit: '/s',
    },
    { name: 'open 1 KiB', value: repeat(20_000, () => openAead(key, aad, sealed)), unit: '/s' },
    { name: 'sign 1 KiB (Ed25519)', value: repeat(4_000, () => sign(signing, 'bench', bytes)), unit: '/s' },
    {
      name: 'verify 1 KiB',
      value: repeat(2_000, () => verify(signing.publicKey, signature, 'bench', bytes)),
      unit: '/s',
    },
  ];
  for (const synchronous of ['FULL', 'NORMAL'] as const) {
    limits.push({
      name: `SQLite insert 1 KiB, 500 a transaction, ${synchronous}`,
      value: insertRate(synchronous, 500, 20_000, bytes),
      unit: 'rows/s',
    });
    limits.push({
      name: `SQLite insert 1 KiB, 1 a transaction, ${synchronous}`,
      value: insertRate(synchronous, 1, 1_000, bytes),
      unit: 'rows/s',
    });
  }
  limits.push({ name: 'WebSocket echo 1 KiB, one at a time, p50', value: await echoMs(bytes), unit: 'ms' });
  return limits;
}

function insertRate(synchronous: 'FULL' | 'NORMAL', batch: number, count: number, bytes: Uint8Array): number {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-limit-'));
  const db = openDb(join(directory, 'limit.db'), { synchronous });
  db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)');
  const insert = db.sql('INSERT INTO t (body) VALUES (?)');
  const result = rate(count, () => {
    for (let at = 0; at < count; at += batch) {
      db.transact(() => {
        for (let i = 0; i < batch; i++) insert.run(bytes);
      });
    }
  });
  db.close();
  rmSync(directory, { recursive: true });
  return result;
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
