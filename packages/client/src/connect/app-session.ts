/** A session at work: an app reads and writes its silo of one owner, with a key of its own and never an owner's. */

import { type Did, equalBytes, type RowId, utf8ToBytes } from '@sluice/core/base';
import { checkCommitment, type HpkeKeyPair, openHpke, type SigningKey, toEpochKey } from '@sluice/core/crypto';
import { type CtlRow, VERB } from '@sluice/core/stream';
import { STREAM_KIND } from '@sluice/core/wire';
import { type Context, createContext } from '../context.ts';
import { isStoreFull } from '../errors.ts';
import { type LiveLink, openLiveLink } from '../link/live-link.ts';
import { createSiloMessaging, type SiloMessaging } from '../messaging/silo-messaging.ts';
import type { Platform } from '../platform.ts';
import type { SchemaLoader } from '../schema/index.ts';
import { openSpaceEngine, type SpaceEngine, type SpaceStatus } from '../space/space-engine.ts';
import type { SpaceKeys } from '../space/space-keys.ts';
import type { StoreDb } from '../store/store-db.ts';

/** HPKE info of epoch keys in control entries; the AAD is the space id. */
export const EPOCH_INFO = utf8ToBytes('sluice/epoch/1');

/** What a session works with: its row and keys, and what the app has of the silo. */
export type AppSessionDeps = {
  readonly id: string;
  readonly platform: Platform;
  readonly db: StoreDb;
  readonly owner: Did;
  readonly context: string;
  readonly keys: SpaceKeys;
  readonly row: RowId;
  readonly key: SigningKey;
  readonly hpke: HpkeKeyPair;
  /** A new key epoch arrived and is in `keys`: keep it. */
  readonly onNewEpoch: () => void;
  readonly onClose: () => void;
};

/** The one context of a session, with the messages that the owner's side routed into it. */
export type SiloContext = Context & { readonly getMessaging: () => SiloMessaging };

/** A session that a person approved: the way into one silo, until either side ends it. */
export type AppSession = {
  /** By which `connect.open` finds it again. */
  readonly id: string;
  readonly owner: Did;
  /** Name of the one context it opens. */
  readonly context: string;
  readonly open: (loader: SchemaLoader) => SiloContext;
  readonly status: () => SpaceStatus;
  readonly synced: (timeoutMs?: number) => Promise<void>;
  /** Ends this session: its own row is revoked, nothing of the silo is lost. */
  readonly disconnect: () => Promise<void>;
  readonly close: () => void;
};

const SYNC_MS = 60_000;
const EPOCH_KEY_BYTES = 32;

/** Opens the silo with the session's keys and follows it. */
export function openAppSession(deps: AppSessionDeps): AppSession {
  const { platform, keys, key, owner } = deps;
  const link = openLiveLink(platform, keys.node, key);
  const engine = openEngine(deps, link);
  let context: SiloContext | undefined;
  let messaging: SiloMessaging | undefined;

  /** Opens the epoch keys that were announced and are not here yet: fresh ones, and what an earlier process did not get to. */
  const takeEpochs = async (): Promise<void> => {
    for (const [epoch, { commitment, keys: sealed }] of engine.access.epochs) {
      if (keys.epochs.has(epoch)) continue;
      const mine = sealed.find((k) => equalBytes(k.row, deps.row));
      const opened = mine && (await openHpke(deps.hpke, EPOCH_INFO, keys.space, mine.sealed));
      // What is not the key committed to, or no key at all, is the owner's mistake, and leaves this session where it is.
      if (!opened?.ok || opened.value.length !== EPOCH_KEY_BYTES || !checkCommitment(opened.value, commitment))
        continue;
      if (engine.addEpochs(new Map([[epoch, toEpochKey(opened.value)]]))) deps.onNewEpoch();
    }
  };
  const keepUp = (): void => {
    takeEpochs().catch((cause: unknown) => {
      // On a full disk the key is in memory, and is opened again at the next start.
      if (!isStoreFull(cause)) throw cause;
    });
  };
  engine.onControl(keepUp);
  keepUp();
  engine.start();

  const close = (): void => {
    engine.close();
    link.close();
    deps.onClose();
  };

  return {
    id: deps.id,
    owner,
    context: deps.context,
    open: (loader) => {
      context ??= {
        ...createContext(deps.context, owner, engine, platform, loader),
        getMessaging: () => {
          messaging ??= createSiloMessaging(engine, platform.clock);
          return messaging;
        },
      };
      return context;
    },
    status: engine.status,
    synced: (timeoutMs = SYNC_MS) => engine.synced(timeoutMs),
    disconnect: async () => {
      await engine.synced(SYNC_MS);
      await engine.control([{ public: ownRow(deps), sealed: null }]);
      close();
    },
    close,
  };
}

/** Keys that do not belong together are refused, and then nothing stays behind that goes on connecting. */
function openEngine({ platform, db, keys, key }: AppSessionDeps, link: LiveLink): SpaceEngine {
  try {
    return openSpaceEngine({ platform, db, link, keys, writer: key });
  } catch (cause) {
    link.close();
    throw cause;
  }
}

const ownRow = ({ row, key }: AppSessionDeps): CtlRow => ({
  type: 'row',
  id: row,
  key: key.publicKey,
  role: 'session',
  access: [
    { target: Uint8Array.of(STREAM_KIND.own), verbs: VERB.read + VERB.write },
    { target: Uint8Array.of(STREAM_KIND.ctl), verbs: VERB.read },
  ],
  status: 'revoked',
  expiresMs: 0,
  perDay: 0,
  term: 0,
  statusMs: 0,
});
