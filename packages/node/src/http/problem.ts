/** Errors as problem documents (RFC 9457), from the one table of wire errors. */

import { ERROR_TABLE, type ErrorCode } from '@sluice/core/wire';

/** Thrown by a route to answer with a wire error. */
export class Problem extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode) {
    super(code);
    this.name = 'Problem';
    this.code = code;
  }
}

const RETRY_AFTER_S = 2;

/** The problem document of a code. */
export function problemDocument(code: ErrorCode, requestId: string, nowMs: number): { readonly status: number; readonly headers: Record<string, string>; readonly body: string } {
  const row = ERROR_TABLE[code];
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' };
  if (row.retry === 'backoff') headers['retry-after'] = String(RETRY_AFTER_S);
  const body = JSON.stringify({ type: `https://sluice.example/errors/${code}`, title: row.title, status: row.status, code, retry: row.retry, requestId, nowMs });
  return { status: row.status, headers, body };
}
