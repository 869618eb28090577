/** The door of the SDK: accounts in use, and contexts opened through them. */

import type { Did } from '@sluice/core/base';
import { buildDidDocument, type DidDocument } from '@sluice/core/identity';
import { inboxStreamId } from '@sluice/core/stream';
import {
  type AccountOptions,
  type CreateOptions,
  createAccount,
  openAccount,
  type RestoreOptions,
  restoreAccount,
} from './account/account-life.ts';
import { type OpenAccount, VAULT_CONTEXT } from './account/account.ts';
import type { AppSession, SiloContext } from './connect/app-session.ts';
import { type Connect, createConnect } from './connect/connect.ts';
import { followExpiry } from './connect/session-expiry.ts';
import { type Context, createContext } from './context.ts';
import { SluiceError } from './errors.ts';
import { createMailbox, createMessaging, type Mailbox, type Messaging } from './messaging/index.ts';
import { createSchemaLoader, type SchemaLoader } from './schema/index.ts';
import type { Agents } from './agent/agents.ts';
import { createSharing, type Sharing } from './sharing/sharing.ts';

/** A context of an own account. Messages belong to the account, whichever context they are for. */
export type OwnContext = Context & { readonly getMessaging: () => Messaging };

/** An account in use: its context, messages, sharing and connections. */
export type Account = {
  readonly did: Did;
  readonly open: OpenAccount;
  readonly schemas: SchemaLoader;
  /** The Vault's own context. */
  readonly vault: OwnContext;
  readonly messaging: Messaging;
  readonly mailbox: Mailbox;
  readonly sharing: Sharing;
  readonly connect: Connect;
  /** Always-on agents: enrolled, listed, shut out. */
  readonly agents: Agents;
  /** Opens a context of this account by application and name; undefined when it is absent and not to be created. */
  readonly context: (
    name: string,
    options?: { readonly app?: string; readonly create?: boolean },
  ) => Promise<OwnContext | undefined>;
  readonly synced: (timeoutMs?: number) => Promise<void>;
  readonly close: () => Promise<void>;
};

/** Makes, opens and restores accounts. */
export const Account = {
  /** Creates an account at a node; the recovery phrase is returned once. */
  create: async (options: CreateOptions): Promise<{ readonly account: Account; readonly phrase: string }> => {
    const { account, phrase } = await createAccount(options);
    return { account: await assemble(account), phrase };
  },
  /** Opens the account of a local store with its passphrase. */
  open: async (options: AccountOptions): Promise<Account> => assemble(await openAccount(options)),
  /** Joins an account as a new device from its twelve words and a node address. */
  restore: async (options: RestoreOptions): Promise<Account> => assemble(await restoreAccount(options)),
};

async function assemble(open: OpenAccount): Promise<Account> {
  const { platform } = open;
  const schemas = createSchemaLoader({
    fetchText: platform.fetchText,
    ...(platform.readFile ? { readFile: platform.readFile } : {}),
  });
  const own = (context: Context): OwnContext => ({ ...context, getMessaging: () => messaging });
  const vault = own(createContext(VAULT_CONTEXT, open.did, open.home, platform, schemas));
  const mailbox = createMailbox(open);
  const messaging: Messaging = createMessaging({ account: open, mailbox, vault, schemas });
  const sharing = createSharing({ account: open, mailbox, vault });
  const connect = createConnect(open);
  const contexts = new Map<string, OwnContext>([[`${open.did}|${VAULT_CONTEXT}`, vault]]);
  mailbox.start();
  await sharing.start();
  followExpiry(open);
  return {
    did: open.did,
    open,
    schemas,
    vault,
    messaging,
    mailbox,
    sharing,
    connect,
    agents: sharing.agents,
    context: async (name, { app = open.did, create = false } = {}) => {
      const key = `${app}|${name}`;
      const known = contexts.get(key);
      if (known) return known;
      const engine = await open.openContext({ app, name }, create);
      if (!engine) return undefined;
      // Another call may have opened it meanwhile.
      const context = contexts.get(key) ?? own(createContext(name, open.did, engine, platform, schemas));
      contexts.set(key, context);
      return context;
    },
    synced: async (timeoutMs) => {
      await open.synced(timeoutMs);
      await mailbox.fetched();
      await sharing.agents.settled();
      await open.synced(timeoutMs);
    },
    close: async () => {
      sharing.close();
      connect.close();
      await open.close();
    },
  };
}

/** The DID document of an account, for an app to publish at its origin. */
export function didDocumentOf({ open }: Account): DidDocument {
  const { node } = open.secret;
  return buildDidDocument({
    did: open.did,
    identityKey: open.identityKey.publicKey,
    sealingKey: open.sealing.publicKey,
    node,
    inbox: { url: node.url, space: open.home.keys.space, stream: inboxStreamId(open.home.keys.space) },
  });
}

/** A person's account as an app reaches it: through a session that the person approved in the Vault. */
export class VaultAccount {
  readonly session: AppSession;
  readonly schemas: SchemaLoader;

  constructor(session: AppSession, schemas: SchemaLoader) {
    this.session = session;
    this.schemas = schemas;
  }
}

/** Whose context is opened, and which. */
export type ConnectOptions<A> = { readonly account: A; readonly context: { readonly name: string } };

async function connect(options: ConnectOptions<Account>): Promise<OwnContext>;
async function connect(options: ConnectOptions<VaultAccount>): Promise<SiloContext>;
async function connect({ account, context }: ConnectOptions<Account | VaultAccount>): Promise<Context> {
  if (account instanceof VaultAccount) {
    const { session, schemas } = account;
    if (context.name !== session.context)
      throw new SluiceError(
        'NOT_FOUND',
        `This session opens the context “${session.context}” and no other. Connect again to get into another.`,
      );
    return session.open(schemas);
  }
  const opened = await account.context(context.name, { create: true });
  if (!opened) throw new SluiceError('NOT_FOUND');
  return opened;
}

/** The door to contexts. */
export const Network = {
  /**
   * Opens a context: of an own account (created when absent), or the one silo that a session unlocks, by its name.
   *
   * Errors: NOT_FOUND (another name than the session's), OFFLINE (only when the context has to be created).
   */
  connect,
};
