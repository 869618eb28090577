export { CLIENT_ERRORS, type ClientErrorCode, SluiceError, type SluiceErrorCode } from './errors.ts';
export type {
  FetchAnswer,
  FetchFailure,
  FetchLimits,
  FetchRequest,
  NodeAddress,
  OpenedStore,
  Platform,
  Socket,
  SocketEvents,
} from './platform.ts';
export {
  type AccountOptions,
  type CreateOptions,
  createAccount,
  openAccount,
  type RestoreOptions,
  restoreAccount,
} from './account/account-life.ts';
export { type OpenAccount, VAULT_CONTEXT } from './account/account.ts';
export { type Context, createContext } from './context.ts';
export type { Conflict } from './conflicts.ts';
export type { Database, DatastoreChange, FindOptions, SaveOptions, SaveResult } from './datastore.ts';
export { Account, didDocumentOf, Network, type OwnContext, VaultAccount } from './network.ts';
export {
  Agent,
  type AgentOptions,
  type AlwaysOnAgent,
  type AlwaysOnStatus,
  type NewAgentOptions,
} from './agent/always-on-agent.ts';
export type { AgentGrantInfo, AgentWork } from './agent/agent-work.ts';
export type { AgentInfo, Agents, NewAgent } from './agent/agents.ts';
export type { AppSession, SiloContext } from './connect/app-session.ts';
export type { SiloMessaging } from './messaging/silo-messaging.ts';
export type { Connect, ConnectOutcome, PendingConnect, SessionInfo } from './connect/connect.ts';
export type { ConnectRequest } from './connect/connect-request.ts';
export type { Activity, ActivityEvent, GrantRelease } from './sharing/activity.ts';
export { type ActivityLog, type ActivityQuery, createActivityLog } from './sharing/activity-log.ts';
export type { GrantReport, Report } from './sharing/activity-report.ts';
export type { FeedAlarm, FeedChange } from './sharing/feed/feed-change.ts';
export type { FeedStatus } from './sharing/feed/reader-state.ts';
export type { GivenGrant, GivenState, GrantView, ReceivedGrant } from './sharing/grant-item.ts';
export type { GrantDatastore, GrantHandle, GrantHandleStatus } from './sharing/grant-handle.ts';
export type { PendingWrite, WriteVerdict } from './sharing/lane/lane-writer.ts';
export type { WriteRecord } from './sharing/lane/write-log.ts';
export type { ChangeOutcome } from './sharing/change-terms.ts';
export type { GrantLife, RevokeOutcome } from './sharing/grant-life.ts';
export type { Narrowing } from './sharing/narrowing.ts';
export type { Difference, Preview } from './sharing/preview.ts';
export type { ChangePreview, Narrowings, RequestPreview } from './sharing/consent.ts';
export type { DatastoreSyncOptions, PendingRequest, RequestAnswer, RequestOptions } from './sharing/requester.ts';
export type { Receipts } from './sharing/receipts.ts';
export type { Waiting } from './sharing/given-grants.ts';
export type { Sharing } from './sharing/sharing.ts';
export type { RequestItem } from './sharing/terms.ts';
export { LinkOffline, LinkRefusal, type LiveLink, openLiveLink } from './link/live-link.ts';
export { readLog } from './link/read-log.ts';
export * from './import/index.ts';
export * from './messaging/index.ts';
export type { Alarm } from './space/space-engine.ts';
export type { SubscriptionEvents } from './link/live-link.ts';
export { openFeedReader } from './sharing/feed/feed-reader.ts';
export { CLIENT_TABLES } from './store/store-db.ts';
