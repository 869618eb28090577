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
export type { Conflict, Conflicts } from './conflicts.ts';
export type { Database, DatastoreChange, FindOptions, SaveOptions, SaveResult } from './datastore.ts';
export { Account, type ConnectOptions, didDocumentOf, Network, type OwnContext, VaultAccount } from './network.ts';
export type { LoadedSchema, SchemaFailure, SchemaLoader } from './schema/index.ts';
export type { SchemaIndex } from './schema/loaded-schema.ts';
export type { Explained } from './store/run-query.ts';
export {
  Agent,
  type AgentOptions,
  type AlwaysOnAgent,
  type AlwaysOnStatus,
  type NewAgentOptions,
} from './agent/always-on-agent.ts';
export type { AgentGrantInfo, AgentWork, AgentWorkStatus } from './agent/agent-work.ts';
export type { AgentStatus, GivenAgent } from './agent/agent-item.ts';
export type { AgentInfo, Agents, NewAgent } from './agent/agents.ts';
export type { AppSession, SiloContext } from './connect/app-session.ts';
export type { SiloMessaging } from './messaging/silo-messaging.ts';
export type { Connect, ConnectOutcome, PendingConnect, SessionInfo } from './connect/connect.ts';
export type { ConnectRequest } from './connect/connect-request.ts';
export type { Activity, ActivityEvent, GrantRelease, OfGrant, ReleasedRecord } from './sharing/activity.ts';
export { type ActivityLog, type ActivityQuery, createActivityLog } from './sharing/activity-log.ts';
export type { AcceptedWrite, GrantReport, Report, ReportedStatus } from './sharing/activity-report.ts';
export type { FeedAlarm, FeedChange } from './sharing/feed/feed-change.ts';
export type { FeedStatus } from './sharing/feed/reader-state.ts';
export type { GivenGrant, GivenState, GrantView, ReceivedGrant } from './sharing/grant-item.ts';
export type { GrantDatastore, GrantHandle, GrantHandleStatus } from './sharing/grant-handle.ts';
export type { PendingWrite, WriteVerdict } from './sharing/lane/lane-writer.ts';
export type { WriteRecord } from './sharing/lane/write-log.ts';
export type { RecordOrigins, WriteOrigin } from './sharing/lane/write-origins.ts';
export type { ChangeOutcome } from './sharing/change-terms.ts';
export type { GrantLife, RevokeOutcome } from './sharing/grant-life.ts';
export type { Narrowing } from './sharing/narrowing.ts';
export type { Difference, Preview } from './sharing/preview.ts';
export type { ChangePreview, Narrowings, RequestPreview } from './sharing/consent.ts';
export type { DatastoreSync, SyncDirection } from './sharing/datastore-sync.ts';
export type {
  DatastoreSyncOptions,
  PendingRequest,
  RequestAnswer,
  RequestOptions,
  SentRequest,
} from './sharing/requester.ts';
export type { Receipts } from './sharing/receipts.ts';
export type { Waiting } from './sharing/given-grants.ts';
export type { Sharing } from './sharing/sharing.ts';
export type { RequestItem } from './sharing/terms.ts';
export { LinkOffline, LinkRefusal, type LiveLink, openLiveLink } from './link/live-link.ts';
export { readLog } from './link/read-log.ts';
export * from './import/index.ts';
export * from './messaging/index.ts';
export type { Alarm, SpaceStatus } from './space/space-engine.ts';
export type { SubscriptionEvents } from './link/live-link.ts';
export { openFeedReader } from './sharing/feed/feed-reader.ts';
export { CLIENT_TABLES } from './store/store-db.ts';
// What the core declares of the signatures above, so that an application needs this package alone.
export type { Clock, Did, JsonObject, JsonValue, Random, Result, SpaceId, StreamId } from '@sluice/core/base';
export type { AeadKey, Argon2Params, GrantSecret, HpkeKeyPair, SigningKey, VerifyKey } from '@sluice/core/crypto';
export type { FieldFormats, FieldLists, Filter, Sort } from '@sluice/core/filter';
export type {
  FieldTerm,
  GrantAccess,
  GrantDuration,
  GrantTerms,
  LaneWrite,
  Rejection,
  RevokeCertificate,
  WipeReason,
  WriteOperation,
  WriteTerms,
} from '@sluice/core/grant';
export type { DidDocument } from '@sluice/core/identity';
export type { MessageFailure } from '@sluice/core/message';
export type { Hlc, MergeRules, Stamp } from '@sluice/core/record';
export type { Tampering } from '@sluice/core/stream';
export type { ErrorCode } from '@sluice/core/wire';
export type { SchemaIssue } from '@sluice/schemas';
