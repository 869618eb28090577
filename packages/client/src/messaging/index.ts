export * from './data-request.ts';
export * from './mailbox.ts';
export * from './messaging.ts';
