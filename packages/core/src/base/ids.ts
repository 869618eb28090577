/** Brands of the identifiers that cross layers, each with its validating constructor. */

import type { Brand } from './brand.ts';

/** A decentralised identifier, e.g. `did:web:clinic.example`. */
export type Did = Brand<string, 'Did'>;
/** SHA-256 of the signed genesis record, 32 bytes. */
export type SpaceId = Brand<Uint8Array, 'SpaceId'>;
/** Kind byte and 15 bytes of HMAC, 16 bytes. */
export type StreamId = Brand<Uint8Array, 'StreamId'>;
/** First 16 bytes of SHA-256 over the writer's Ed25519 public key. */
export type WriterId = Brand<Uint8Array, 'WriterId'>;
/** Pseudonym of a record in one stream, 16 bytes of HMAC. */
export type Tag = Brand<Uint8Array, 'Tag'>;
/** Random name of a grant, 16 bytes. */
export type GrantId = Brand<Uint8Array, 'GrantId'>;
/** Name of an access row, 16 bytes. */
export type RowId = Brand<Uint8Array, 'RowId'>;

const DID = /^did:[a-z0-9]+:[A-Za-z0-9._:%-]{1,1024}$/;

function sized(bytes: Uint8Array, length: number, name: string): Uint8Array {
  if (!(bytes instanceof Uint8Array) || bytes.length !== length) throw new TypeError(`${name} must be ${length} bytes`);
  return bytes;
}

/** Tells whether a string has the form of a DID (no path, query or fragment). */
export const isDid = (value: unknown): value is Did => typeof value === 'string' && DID.test(value);

/** Brands a DID. Throws TypeError on another form. */
export function toDid(value: string): Did {
  if (!isDid(value)) throw new TypeError('not a DID');
  return value;
}

/** Brands 32 bytes as a space id; another length throws. */
export const toSpaceId = (bytes: Uint8Array): SpaceId => sized(bytes, 32, 'SpaceId') as SpaceId;
/** Brands 16 bytes as a stream id; another length throws. */
export const toStreamId = (bytes: Uint8Array): StreamId => sized(bytes, 16, 'StreamId') as StreamId;
/** Brands 16 bytes as a writer id; another length throws. */
export const toWriterId = (bytes: Uint8Array): WriterId => sized(bytes, 16, 'WriterId') as WriterId;
/** Brands 16 bytes as a tag; another length throws. */
export const toTag = (bytes: Uint8Array): Tag => sized(bytes, 16, 'Tag') as Tag;
/** Brands 16 bytes as a grant id; another length throws. */
export const toGrantId = (bytes: Uint8Array): GrantId => sized(bytes, 16, 'GrantId') as GrantId;
/** Brands 16 bytes as a row id; another length throws. */
export const toRowId = (bytes: Uint8Array): RowId => sized(bytes, 16, 'RowId') as RowId;
