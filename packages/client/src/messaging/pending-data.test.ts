import type { JsonObject } from '@sluice/core/base';
import { expect, it } from 'vitest';
import type { OpenAccount } from '../account/account.ts';
import { SluiceError } from '../errors.ts';
import type { LoadedSchema } from '../schema/index.ts';
import type { Mailbox } from './mailbox.ts';
import { createPendingRequests, type DataAnswer } from './pending-data.ts';

it('an answer that cannot be judged now, since its schema cannot be had, is told when it can be', async () => {
  const timers: (() => void)[] = [];
  const timer = (_: number, run: () => void) => {
    timers.push(run);
    return () => undefined;
  };
  const clock = { nowMs: () => 10, timer };
  const account = {
    platform: { clock, random: () => Uint8Array.of(0) },
    link: { onState: () => () => undefined },
    closed: () => false,
  } as unknown as OpenAccount;
  const sent = { id: 'q', to: 'did:web:a.example', type: 'inbox/type/dataRequest', createdAt: 0, expiresAt: 100 };
  const answer = { id: 'a', type: 'inbox/type/dataSend', from: sent.to, sentAt: 5, data: { data: [{ _id: 'x' }] } };
  const mailbox = {
    sent: () => ({ ...sent, data: { requestSchema: 's' } as JsonObject }),
    list: () => [answer],
    onChange: () => () => undefined,
  } as unknown as Mailbox;
  const schema = { id: 's', formats: new Map(), validate: () => [] } as unknown as LoadedSchema;
  let isThere = false;
  let asked = 0;
  const load = async (): Promise<LoadedSchema> => {
    asked++;
    if (!isThere) throw new SluiceError('UNKNOWN_SCHEMA');
    return { ...schema };
  };
  const seen: DataAnswer[] = [];
  createPendingRequests(account, mailbox, load)
    .pending('q')
    .onAnswer((one) => seen.push(one));
  await expect.poll(() => timers.length).toBe(1);
  expect([asked, seen]).toEqual([1, []]);
  isThere = true;
  timers.pop()?.();
  await expect.poll(() => seen.length).toBe(1);
  expect(seen[0]?.status).toBe('shared');
});
