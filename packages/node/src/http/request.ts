/** Reads the parts of a request strictly, each in one spelling, and writes answers. A wrong form throws a Problem. */

import {
  base64urlToBytes,
  bytesToBase64url,
  bytesToUtf8,
  type RowId,
  type SpaceId,
  toRowId,
  toSpaceId,
} from '@sluice/core/base';
import { readShape, type Shape } from '@sluice/core/wire';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Outcome } from '../storage/port.ts';
import { Problem } from './problem.ts';

/** The query of a request, as it was parsed. */
export type Query = { readonly [name: string]: string | readonly string[] | undefined };

/** The longest wait of a long poll, in seconds. */
export const MAX_WAIT_S = 25;

/** The size limit of a route's body, in bytes: a larger one is refused before it is read to its end. */
export const sizeLimit = (maxBytes: number): { readonly bodyLimit: number } => ({ bodyLimit: maxBytes });

/** The raw body; empty if there is none. */
export const bodyOf = (request: FastifyRequest): Uint8Array =>
  request.body instanceof Uint8Array ? request.body : new Uint8Array(0);

/** Reads the body as one CBOR value of a shape. */
export function cborBody<T>(request: FastifyRequest, shape: Shape<T>, maxBytes: number): T {
  const read = readShape(shape, bodyOf(request), maxBytes);
  if (!read.ok) throw new Problem(read.error.type === 'too-large' ? 'TOO_LARGE' : 'MALFORMED');
  return read.value;
}

/** Reads bytes as UTF-8 text. */
export function textOf(bytes: Uint8Array): string {
  try {
    return bytesToUtf8(bytes);
  } catch {
    throw new Problem('MALFORMED');
  }
}

/** Reads a 32-byte id in base64url, and gives it back in its one spelling. */
export const idOf = (text: string): string => bytesToBase64url(idBytes(text, 32));

/** Reads a space id in base64url. */
export const spaceOf = (text: string): SpaceId => toSpaceId(idBytes(text, 32));

/** Reads a row id in base64url. */
export const rowOf = (text: string): RowId => toRowId(idBytes(text, 16));

function idBytes(text: string, length: number): Uint8Array {
  let id: Uint8Array | undefined;
  try {
    id = base64urlToBytes(text);
  } catch {
    // Answered below like any other wrong form.
  }
  if (id?.length !== length) throw new Problem('MALFORMED');
  return id;
}

/** Reads a whole number of the query, 0 if absent. */
export function countOf(query: Query, name: string): number {
  const text = query[name] ?? '0';
  const count = typeof text === 'string' && /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(count)) throw new Problem('MALFORMED');
  return count;
}

/** Reads how long to wait at most, in ms. */
export function waitMsOf(query: Query): number {
  const seconds = countOf(query, 'wait');
  if (seconds > MAX_WAIT_S) throw new Problem('MALFORMED');
  return seconds * 1000;
}

/** Reads a header that is sent at most once. */
export function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  if (Array.isArray(value)) throw new Problem('MALFORMED');
  return value;
}

/** Aborts when the client goes away before its answer is complete. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}

/** Answers with CBOR. */
export const sendCbor = (reply: FastifyReply, body: Uint8Array): FastifyReply =>
  reply.header('content-type', 'application/cbor').send(Buffer.from(body.buffer, body.byteOffset, body.length));

/** The value of a success; a refusal is thrown as a Problem. */
export function unwrap<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Problem(outcome.code);
  return outcome.value;
}
