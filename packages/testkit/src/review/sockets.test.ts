/** Where a client connects to is what somebody else wrote into a grant or an answer. */

import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createNodePlatform } from '@sluice/client/node';
import { afterEach, describe, expect, it } from 'vitest';

describe('a live connection', () => {
  const knocks: number[] = [];
  const server = createServer((socket) => {
    knocks.push(socket.remotePort ?? 0);
    socket.destroy();
  });
  afterEach(() => void server.close());

  it('[ID-15] dials no address of this network, whatever name it is found under', async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const asked: string[] = [];
    const lookupAll = async (name: string) => {
      asked.push(name);
      return [{ address: '127.0.0.1', family: 4 }];
    };
    const platform = createNodePlatform({ lookupAll });
    const url = new URL(`https://inside.attacker.example:${port}/v1/live`);
    const outcome = await new Promise<string>((resolve) => {
      const onMessage = (): void => resolve('message');
      platform.openSocket(url, { onOpen: () => resolve('open'), onMessage, onClose: () => resolve('closed') });
    });
    expect([outcome, asked, knocks]).toEqual(['closed', ['inside.attacker.example'], []]);
  });
});
