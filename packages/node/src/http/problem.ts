/** Errors as problem documents (RFC 9457), from the one table of wire errors (spec/errors.md). Must not know causes. */

import { ERROR_TABLE, type ErrorCode } from '@sluice/core/wire';

/** Thrown by a route to answer with a wire error. `retryAfterS` only where the time is known. */
export class Problem extends Error {
  readonly code: ErrorCode;
  readonly retryAfterS: number | undefined;

  constructor(code: ErrorCode, retryAfterS?: number) {
    super(code);
    this.name = 'Problem';
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

/** A refusal, ready to be sent. */
export type ProblemAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

const TYPE_BASE = 'https://sluice.example/errors/';
/** What a client is told to wait when the node knows nothing better, in seconds. */
const RETRY_AFTER_S = 2;

/** Builds the answer for a problem. Units: `nowMs` in ms, so that a client with a wrong clock can correct it. */
export function problemAnswer(
  problem: Pick<Problem, 'code' | 'retryAfterS'>,
  requestId: string,
  nowMs: number,
): ProblemAnswer {
  const { code, retryAfterS = RETRY_AFTER_S } = problem;
  const { status, title, retry } = ERROR_TABLE[code];
  const headers: Record<string, string> = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' };
  if (retry === 'backoff') headers['retry-after'] = String(Math.max(1, Math.ceil(retryAfterS)));
  const document = { type: `${TYPE_BASE}${code}`, title, status, code, retry, requestId, nowMs };
  return { status, headers, body: JSON.stringify(document) };
}

const REASONS: { readonly [status: number]: string } = {
  400: 'Bad Request',
  404: 'Not Found',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
};

/** The same answer as raw HTTP/1.1, for sockets that never became a request. It closes the connection. */
export function rawProblem(code: ErrorCode, requestId: string, nowMs: number): string {
  const { status, headers, body } = problemAnswer({ code, retryAfterS: undefined }, requestId, nowMs);
  const lines = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status} ${REASONS[status] ?? 'Error'}\r\n${head}\r\n${body}`;
}
