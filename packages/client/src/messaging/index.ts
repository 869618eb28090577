export * from './data-request.ts';
export * from './mailbox.ts';
export * from './messaging.ts';
export type { AfterSending, Posted, PostOptions, SentItem } from './outbox.ts';
export type { DataAnswer, PendingData, SentStatus } from './pending-data.ts';
