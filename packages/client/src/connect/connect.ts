/** Scenario 3, both sides: an app asks for its silo, the owner lets it in by a session, lists sessions, and ends them. */

import { bytesToHex, type Did, hexToBytes, type JsonObject, toRowId } from '@sluice/core/base';
import {
  createHpkeKeyPair,
  createSigningKey,
  hpkeKeyPairFromSecret,
  signingKeyFromSeed,
  toVerifyKey,
} from '@sluice/core/crypto';
import { didWebOrigin } from '@sluice/core/identity';
import { type CtlRow, VERB } from '@sluice/core/stream';
import { STREAM_KIND } from '@sluice/core/wire';
import type { OpenAccount } from '../account/account.ts';
import { packBytes, unpackBytes } from '../account/keychain.ts';
import { SluiceError } from '../errors.ts';
import { createNodeHttp } from '../link/node-http.ts';
import type { SpaceEngine } from '../space/space-engine.ts';
import {
  type ConnectRequest,
  jsonToKeys,
  type ConnectReply,
  keysToJson,
  openConnectAnswer,
  openConnectRequest,
  sealConnectAnswer,
  signConnectRequest,
} from './connect-request.ts';
import { openAppSession, type AppSession } from './app-session.ts';
import { rowOf, startEpoch } from './epoch-start.ts';

/** How long a request waits for its answer, in ms. */
const REQUEST_MS = 10 * 60_000;
/** How long a session lasts unless the owner says otherwise, in ms. */
const SESSION_MS = 30 * 24 * 3600 * 1000;
const LONG_POLL_S = 20;
const SYNC_MS = 30_000;
/** How long to wait after an answer that is none, in ms: a drop is open to all, and asking for the next at once would use up the node's patience. */
const JUNK_PAUSE_MS = 1_000;

/** A session as the owner sees it. */
export type SessionInfo = {
  readonly id: string;
  readonly app: Did;
  readonly context: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly status: 'active' | 'expired' | 'closed';
};
/** How a connect request ended. `expired` is the app’s own clock. */
export type ConnectOutcome =
  | { readonly status: 'connected'; readonly session: AppSession }
  | { readonly status: 'declined' }
  | { readonly status: 'expired' };
/** A connect request on its way. `document` is shown or sent to the person. */
export type PendingConnect = {
  readonly document: Uint8Array;
  readonly id: string;
  readonly answer: () => Promise<ConnectOutcome>;
};

/** Both sides of letting an app into a silo. */
export type Connect = {
  /** App: asks to be let into `context` of whoever answers. Show or send `document` to the person. */
  readonly request: (context: string) => Promise<PendingConnect>;
  /** App: the sessions it was given, by id. */
  readonly sessions: () => readonly { readonly id: string; readonly owner: Did; readonly context: string }[];
  readonly open: (sessionId: string) => AppSession;
  /** Owner: who asks, for what. Errors: BAD_REQUEST. */
  readonly inspect: (document: Uint8Array) => Promise<ConnectRequest>;
  /**
   * Owner: creates the silo if it is absent and lets the app's session in. Approving again leaves the answer once more.
   *
   * Errors: BAD_REQUEST, OFFLINE, ALREADY_ANSWERED (declined, or the session is closed), NODE_*.
   */
  readonly approve: (document: Uint8Array, options?: { readonly sessionMs?: number }) => Promise<SessionInfo>;
  readonly decline: (document: Uint8Array) => Promise<void>;
  /** Owner: every session given. */
  readonly given: () => readonly SessionInfo[];
  /** Owner: ends one session. */
  readonly closeSession: (id: string) => Promise<void>;
  /** Owner: ends every session of an app and starts a new key epoch, so that what is written from now on is closed to them. */
  readonly revokeApp: (app: string) => Promise<number>;
  /** Closes the sessions in use here; they stay valid. */
  readonly close: () => void;
};

/** Creates the connect side of an account. */
export function createConnect(account: OpenAccount): Connect {
  const { platform, keychain } = account;
  const { clock, random } = platform;
  const signer = { did: account.did, key: account.device, card: account.card };
  /** Sessions in use, by id: one engine each, since two would number entries apart. */
  const opened = new Map<string, AppSession>();

  const inspect = async (document: Uint8Array): Promise<ConnectRequest> => {
    const verified = await openConnectRequest(document, account.resolver, clock.nowMs());
    if (!verified.ok) throw new SluiceError('BAD_REQUEST', `This connect request cannot be used: ${verified.error}`);
    return verified.value;
  };

  /** Returns false when another answer is there already. */
  const leave = async (request: ConnectRequest, answer: ConnectReply): Promise<boolean> => {
    const sealed = await sealConnectAnswer(request, answer, signer);
    const left = await createNodeHttp(platform, { url: request.dropUrl }).putDrop(request.hash, sealed);
    if (left.ok) return true;
    if (left.error.type === 'offline')
      throw new SluiceError('OFFLINE', 'The app’s node cannot be reached, so it has not been answered. Try again');
    if (left.error.code === 'EXISTS') return false;
    throw new SluiceError(`NODE_${left.error.code}`);
  };

  const siloOf = async (app: Did, name: string): Promise<SpaceEngine> => {
    const engine = await account.openContext({ app, name }, true);
    if (!engine) throw new SluiceError('NOT_FOUND');
    await engine.synced(SYNC_MS);
    return engine;
  };

  const endSessions = async (ids: readonly string[]): Promise<void> => {
    const bySpace = new Map<string, { id: string; item: JsonObject }[]>();
    for (const id of ids) {
      const item = keychain.get('session', id);
      if (!item) throw new SluiceError('NOT_FOUND', 'There is no such session');
      const space = String(item.space);
      bySpace.set(space, [...(bySpace.get(space) ?? []), { id, item }]);
    }
    for (const sessions of bySpace.values()) {
      const first = sessions[0]?.item as JsonObject;
      const engine = await siloOf(String(first.app) as Did, String(first.context));
      await engine.control(sessions.map(({ item }) => ({ public: sessionRow(item, 'revoked'), sealed: null })));
      // Closed once the key has changed too: until then, whoever looks sees that there is something left to do.
      await startEpoch(account, engine);
      for (const { id, item } of sessions) keychain.put('session', id, { ...item, status: 'closed' });
      account.home.nudge();
    }
  };

  /** Creates the session's row at the node and notes it in the keychain. */
  const letIn = async (
    request: ConnectRequest,
    engine: SpaceEngine,
    id: string,
    sessionMs: number,
  ): Promise<JsonObject> => {
    const createdAt = clock.nowMs();
    const item: JsonObject = {
      app: request.app,
      context: request.context,
      space: packBytes(engine.keys.space),
      key: packBytes(request.sessionKey),
      hpkeKey: packBytes(request.hpkeKey),
      createdAt,
      expiresAt: createdAt + sessionMs,
      status: 'active',
      row: packBytes(hexToBytes(id)),
    };
    await engine.control([{ public: sessionRow(item, 'active'), sealed: null }]);
    keychain.put('session', id, item);
    account.home.nudge();
    return item;
  };

  const answer = async (id: string): Promise<ConnectOutcome> => {
    const asked = keychain.get('request', id);
    if (!asked) throw new SluiceError('NOT_FOUND', 'There is no such request');
    const hash = hexToBytes(id);
    while (clock.nowMs() < Number(asked.expiresAt)) {
      if (account.closed()) throw new SluiceError('CLOSED');
      const left = Math.max(1, Math.min(LONG_POLL_S, Math.ceil((Number(asked.expiresAt) - clock.nowMs()) / 1000)));
      const sealed = await account.http.takeDrop(hash, left);
      if (account.closed()) throw new SluiceError('CLOSED');
      if (!sealed.ok) throw new SluiceError(sealed.error.type === 'offline' ? 'OFFLINE' : `NODE_${sealed.error.code}`);
      if (!sealed.value) continue;
      const answered = await openConnectAnswer(
        sealed.value,
        hash,
        hpkeKeyPairFromSecret(unpackBytes(asked.hpkeSecret)),
        account.resolver,
        clock.nowMs(),
      );
      if (!answered.ok) {
        await new Promise<void>((resolve) => clock.timer(JUNK_PAUSE_MS, resolve));
        continue;
      }
      if (answered.value.type === 'declined') return { status: 'declined' };
      const { keys, owner, row, expiresAtMs } = answered.value;
      keychain.put('received', `session/${id}`, {
        session: true,
        owner,
        context: String(asked.context),
        row: packBytes(row),
        expiresAt: expiresAtMs,
        signSeed: String(asked.signSeed),
        hpkeSecret: String(asked.hpkeSecret),
        keys: keysToJson(keys),
      });
      account.home.nudge();
      return { status: 'connected', session: open(id) };
    }
    return { status: 'expired' };
  };

  const open = (id: string): AppSession => {
    const known = opened.get(id);
    if (known) return known;
    const item = keychain.get('received', `session/${id}`);
    if (!item) throw new SluiceError('NOT_FOUND', 'There is no such session');
    const keys = jsonToKeys(item.keys as JsonObject);
    const session = openAppSession({
      id,
      platform,
      db: account.store.db,
      owner: String(item.owner) as Did,
      context: String(item.context),
      keys,
      row: toRowId(unpackBytes(item.row)),
      key: signingKeyFromSeed(unpackBytes(item.signSeed)),
      hpke: hpkeKeyPairFromSecret(unpackBytes(item.hpkeSecret)),
      onNewEpoch: () => {
        keychain.put('received', `session/${id}`, { ...item, keys: keysToJson(keys) });
        account.home.nudge();
      },
      onClose: () => opened.delete(id),
    });
    opened.set(id, session);
    return session;
  };

  return {
    request: async (context) => {
      const origin = didWebOrigin(account.did);
      if (!origin) throw new SluiceError('NOT_ALLOWED', 'Only an app, known by a did:web, can ask to connect');
      const session = createSigningKey(random);
      const hpke = createHpkeKeyPair(random);
      const expiresAtMs = clock.nowMs() + REQUEST_MS;
      const document = signConnectRequest(
        {
          context,
          sessionKey: session.publicKey,
          hpkeKey: hpke.publicKey,
          dropUrl: account.secret.node.url,
          expiresAtMs,
          origin,
        },
        random(16),
        signer,
      );
      const verified = await openConnectRequest(document, account.resolver, clock.nowMs());
      if (!verified.ok)
        throw new SluiceError(
          'BAD_REQUEST',
          `Others cannot verify this request: ${verified.error}. Publish the app’s DID document first`,
        );
      const id = bytesToHex(verified.value.hash);
      keychain.put('request', id, {
        kind: 'connect',
        context,
        expiresAt: expiresAtMs,
        signSeed: packBytes(session.seed.reveal()),
        hpkeSecret: packBytes(hpke.secret.reveal()),
      });
      return { document, id, answer: () => answer(id) };
    },
    sessions: () =>
      keychain
        .list('received')
        .flatMap(({ id, item }) =>
          item.session === true
            ? [{ id: id.slice('session/'.length), owner: String(item.owner) as Did, context: String(item.context) }]
            : [],
        ),
    open,
    inspect,
    approve: async (document, { sessionMs = SESSION_MS } = {}) => {
      const request = await inspect(document);
      const engine = await siloOf(request.app, request.context);
      const id = sessionId(request);
      // Approved before, and the answer may not have got through: it is left once more, and nobody is let in twice.
      const known = keychain.get('session', id);
      if (known && known.status !== 'active') throw new SluiceError('ALREADY_ANSWERED');
      const item = known ?? (await letIn(request, engine, id, sessionMs));
      const expiresAtMs = Number(item.expiresAt);
      const left = await leave(request, { type: 'approved', keys: engine.keys, row: rowOf(item), expiresAtMs });
      if (!left && !known) await endSessions([id]);
      // What lies there is the answer of an earlier approval only if that got through.
      if (!left && known?.answered !== true) throw anotherAnswer();
      if (left && known?.answered !== true) keychain.put('session', id, { ...item, answered: true });
      return itemToSession(id, item, clock.nowMs());
    },
    decline: async (document) => {
      const request = await inspect(document);
      if (keychain.get('session', sessionId(request))) throw new SluiceError('ALREADY_ANSWERED');
      if (!(await leave(request, { type: 'declined' }))) throw anotherAnswer();
    },
    given: () =>
      keychain
        .list('session')
        .map(({ id, item }) => itemToSession(id, item, clock.nowMs()))
        .sort((a, b) => a.createdAtMs - b.createdAtMs),
    closeSession: (id) => endSessions([id]),
    revokeApp: async (app) => {
      const ids = keychain
        .list('session')
        .filter(({ item }) => item.app === app && item.status === 'active')
        .map(({ id }) => id);
      if (ids.length > 0) await endSessions(ids);
      return ids.length;
    },
    close: () => {
      for (const session of [...opened.values()]) session.close();
    },
  };
}

/** Anybody who saw the request can leave something at its drop, and nobody but the app can tell whose it is. */
const anotherAnswer = (): SluiceError =>
  new SluiceError(
    'ALREADY_ANSWERED',
    'Another answer waits for the app: one of yours, or what somebody else left there. Nobody was let in by this one. If the app goes on waiting, have it ask anew',
  );

/** A session's name is that of the request it answers. */
const sessionId = (request: ConnectRequest): string => bytesToHex(request.hash).slice(0, 32);

function itemToSession(id: string, item: JsonObject, nowMs: number): SessionInfo {
  const isOver = Number(item.expiresAt) <= nowMs;
  return {
    id,
    app: String(item.app) as Did,
    context: String(item.context),
    createdAtMs: Number(item.createdAt),
    expiresAtMs: Number(item.expiresAt),
    status: item.status === 'closed' ? 'closed' : isOver || item.status === 'expired' ? 'expired' : 'active',
  };
}

/** A session may use every collection of its silo and see who else may; nothing more. */
const sessionRow = (item: JsonObject, status: CtlRow['status']): CtlRow => ({
  type: 'row',
  id: rowOf(item),
  key: toVerifyKey(unpackBytes(item.key)),
  role: 'session',
  access: [
    { target: Uint8Array.of(STREAM_KIND.own), verbs: VERB.read + VERB.write },
    { target: Uint8Array.of(STREAM_KIND.ctl), verbs: VERB.read },
  ],
  status,
  expiresMs: Number(item.expiresAt),
  perDay: 0,
  term: 0,
  statusMs: 0,
});
