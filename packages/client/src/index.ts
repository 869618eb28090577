export { CLIENT_ERRORS, type ClientErrorCode, SluiceError, type SluiceErrorCode } from './errors.ts';
export type { FetchAnswer, FetchFailure, FetchLimits, FetchRequest, NodeAddress, OpenedStore, Platform, Socket, SocketEvents } from './platform.ts';
export { type AccountOptions, type CreateOptions, createAccount, openAccount, type RestoreOptions, restoreAccount } from './account/account-life.ts';
export { type OpenAccount, VAULT_CONTEXT } from './account/account.ts';
export { type Context, createContext } from './context.ts';
export type { Database, DatastoreChange, FindOptions, SaveOptions, SaveResult } from './datastore.ts';
