export * from './sealed-message.ts';
