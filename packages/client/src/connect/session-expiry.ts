/**
 * Ends what a session could read once its time is over: the node refuses it then by itself, but only a new key epoch closes to it what is
 * written from then on. Must not know how sessions are given or closed.
 */

import type { Did, JsonObject } from '@sluice/core/base';
import type { OpenAccount } from '../account/account.ts';
import { packBytes } from '../account/keychain.ts';
import { createRetry, isStoreFailure } from '../messaging/retry.ts';
import { startEpoch } from './epoch-start.ts';

const SYNC_MS = 30_000;

type Session = { readonly id: string; readonly item: JsonObject };

/** Starts a key epoch in every silo with a session that expired: at each connection, and as time goes on. */
export function followExpiry(account: OpenAccount): void {
  const { keychain, home, link } = account;
  const { clock } = account.platform;
  let running = false;
  let cancel: () => void = () => undefined;
  const retry = createRetry(account, () => run());

  const active = (): readonly Session[] => keychain.list('session').filter(({ item }) => item.status === 'active');
  const isOver = ({ item }: Session): boolean => Number(item.expiresAt) <= clock.nowMs();

  const endExpired = async (): Promise<void> => {
    if (!active().some(isOver)) return;
    // Another device may have come first, and says so in the keychain.
    await home.synced(SYNC_MS);
    const silos = new Map(
      active()
        .filter(isOver)
        .map(({ item }) => [String(item.space), item]),
    );
    const failures: unknown[] = [];
    for (const silo of silos.values())
      await endIn(silo).catch((cause: unknown) => {
        // One that cannot be reached, or that serves what does not verify, keeps no other waiting.
        failures.push(cause);
      });
    if (failures.length > 0) throw failures.find((cause) => !isStoreFailure(cause)) ?? failures[0];
  };

  const endIn = async ({ app, context }: JsonObject): Promise<void> => {
    const engine = await account.openContext({ app: String(app) as Did, name: String(context) }, false);
    if (!engine) return;
    await engine.synced(SYNC_MS);
    const space = packBytes(engine.keys.space);
    const over = active().filter((session) => isOver(session) && session.item.space === space);
    if (over.length === 0) return;
    await startEpoch(account, engine);
    for (const { id, item } of over) keychain.put('session', id, { ...item, status: 'expired' });
    home.nudge();
  };

  /** Waits for the next that will be over. What is over already and could not be ended is left to the retry. */
  const armNext = (): void => {
    if (account.closed()) return;
    cancel();
    const times = active()
      .filter((session) => !isOver(session))
      .map(({ item }) => Number(item.expiresAt));
    const next = times.reduce((first, time) => Math.min(first, time), Number.POSITIVE_INFINITY);
    cancel = Number.isFinite(next) ? clock.timer(Math.max(1, next - clock.nowMs()), run) : () => undefined;
  };

  const run = (): void => {
    if (running || account.closed()) return;
    running = true;
    endExpired()
      .then(
        () => {
          if (!account.closed()) retry.done();
          armNext();
        },
        (cause: unknown) => {
          if (account.closed()) return;
          retry.later();
          if (!isStoreFailure(cause)) throw cause;
        },
      )
      .finally(() => {
        running = false;
      });
  };

  keychain.collection.onChange(({ record }) => {
    // After the transaction that writes it.
    if (record?.kind === 'session') queueMicrotask(armNext);
  });
  link.onState((state) => {
    if (state === 'ready') run();
    if (state === 'closed') cancel();
  });
  if (link.state() === 'ready') run();
}
