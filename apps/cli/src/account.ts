/** Opening the account that a command works with, and closing it whatever happens. */

import { Account, type OpenedStore, SluiceError } from '@sluice/client';
import { openNodeStore } from '@sluice/client/node';
import type { Settings } from './settings.ts';

/** How long a node may take to answer at all before a command goes on without it. */
const REACH_MS = 4000;
/** Attempts that may fail before that: one, since the first may meet a node that is just starting. */
const ATTEMPTS = 2;
const SYNC_MS = 15_000;
/** Sending is given up when nothing moved for so long. */
const STALLED_MS = 15_000;
const LOOK_MS = 100;

/** What an account is opened or created with. The passphrase comes first: a store is not locked while somebody types. */
export const accountOptions = async (settings: Settings, kind: 'vault' | 'app', use: 'open' | 'new') => {
  const passphrase = await settings.passphrase(use);
  return {
    platform: settings.platform,
    store: openNodeStore(settings.store(kind)),
    passphrase,
    ...(settings.argon2 ? { argon2: settings.argon2 } : {}),
  };
};

/** Runs what makes or opens an account; when it fails, the store is let go. */
export async function orRelease<T>(store: OpenedStore, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    store.db.close();
    store.release();
    throw cause;
  }
}

/**
 * Runs a command with the account open. It is synchronized before (as far as the node can be reached) and after, so that one command a
 * time is enough to work with.
 */
export async function withAccount<T>(
  settings: Settings,
  kind: 'vault' | 'app',
  work: (account: Account) => Promise<T>,
): Promise<T> {
  const options = await accountOptions(settings, kind, 'open');
  const account = await orRelease(options.store, Account.open(options).catch(noAccount(kind)));
  const { output } = settings;
  account.open.onAlarm((alarm) =>
    output.note(`Alarm: the node served something that does not verify (${alarm.type}).`),
  );
  try {
    const online = await isReached(account, settings, options.store);
    if (!online) output.note('The node cannot be reached. Changes are kept here and sent when it is back.');
    const result = await work(account);
    if (online) await sendAll(settings, account, options.store);
    return result;
  } finally {
    await account.close();
  }
}

/** Says what makes an account of this kind. */
const noAccount =
  (kind: 'vault' | 'app') =>
  (cause: unknown): never => {
    if (!(cause instanceof SluiceError) || cause.code !== 'NOT_FOUND') throw cause;
    const how = kind === 'app' ? 'sluice app init' : 'sluice vault create, or sluice vault restore';
    throw new SluiceError('NOT_FOUND', `There is no account here yet. To make one: ${how}.`);
  };

async function isReached(account: Account, settings: Settings, store: OpenedStore): Promise<boolean> {
  try {
    if (!(await isConnected(account))) return false;
    await whileCounting(settings, store, 'Synchronizing', () => account.synced(SYNC_MS));
    return true;
  } catch {
    return false;
  }
}

/** Waits for a connection, until the time is over or enough attempts were refused. */
async function isConnected({ open: { link } }: Account): Promise<boolean> {
  let left = link.state() === 'offline' ? ATTEMPTS - 1 : ATTEMPTS;
  let forget = (): void => undefined;
  const refused = new Promise<boolean>((resolve) => {
    forget = link.onState((state) => {
      if (state === 'offline') left--;
      if (left <= 0) resolve(false);
    });
  });
  const ready = link.ready(REACH_MS).then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([ready, refused]);
  } finally {
    forget();
  }
}

/** Runs a first synchronization and shows how many entries are here. */
export async function whileCounting<T>(
  { output }: Settings,
  store: OpenedStore,
  title: string,
  work: () => Promise<T>,
): Promise<T> {
  const count = (): number => Number(store.db.sql('SELECT count(*) AS n FROM entry').get()?.n ?? 0);
  let before: number | undefined;
  let progress: ReturnType<typeof output.progress> | undefined;
  const timer = setInterval(() => {
    before ??= count();
    progress ??= output.progress(title);
    progress.to(count() - before);
  }, LOOK_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    progress?.end();
  }
}

/** Waits until everything is at the node, as long as it moves. */
export async function sendAll({ output, clock }: Settings, account: Account, store: OpenedStore): Promise<void> {
  const waiting = (): number =>
    Number(store.db.sql('SELECT coalesce(sum(last_ls - first_ls + 1), 0) AS n FROM outbox').get()?.n ?? 0);
  let done = false;
  const synced = account.synced(10 * 60_000).then(
    () => true,
    () => false,
  );
  void synced.then(() => {
    done = true;
  });
  const total = waiting();
  const progress = total > 0 ? output.progress('Sending', total) : undefined;
  let least = total;
  let movedMs = clock.monotonicMs();
  while (!done && clock.monotonicMs() - movedMs < STALLED_MS) {
    await Promise.race([synced, new Promise((resolve) => setTimeout(resolve, LOOK_MS))]);
    const now = waiting();
    if (now < least) {
      least = now;
      movedMs = clock.monotonicMs();
    }
    progress?.to(total - Math.min(now, total));
  }
  progress?.end();
  if (!done || !(await synced))
    output.note('Not everything could be sent yet; it is kept and sent by the next command.');
}
