/**
 * Fetching what strangers point at: https only, public addresses only, no redirects, bounded in size and time. The address that was
 * checked is the address that is dialled.
 */

import { lookup as systemLookup } from 'node:dns';
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { bytesToUtf8, type Clock, createSystemClock, err, ok, type Result } from '@sluice/core/base';
import { checkUrl, type DevHosts, type FetchText, isPrivateAddress } from '@sluice/core/identity';

/** `headers` by lower-case name; a redirect is an answer like any other and is never followed. */
export type FetchedBytes = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/** refused (by the fetch policy), unreachable (no connection, broken off, or out of time), too-large. */
export type FetchBytesFailure = { readonly type: 'refused' | 'unreachable' | 'too-large' };

/** Units: bytes of the answer's body, ms until its last byte. */
export type FetchBytes = (
  url: URL,
  request: {
    readonly method?: string;
    readonly body?: Uint8Array;
    readonly headers?: { readonly [name: string]: string };
    readonly maxBytes: number;
    readonly timeoutMs: number;
  },
) => Promise<Result<FetchedBytes, FetchBytesFailure>>;

/** Resolves a name to every address it has. */
export type LookupAll = (name: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

/** With `devHosts`, only these names exist; a function is asked at each fetch. */
export type HardenedFetchOptions = {
  readonly devHosts?: DevHosts | (() => DevHosts);
  readonly clock?: Clock;
  readonly lookupAll?: LookupAll;
};

/** Both keep connections open for reuse: create it once. */
export type HardenedFetch = {
  /** Any request; a status that is not 200 is an answer. */
  readonly fetchBytes: FetchBytes;
  /** What a DID resolver needs: GET of UTF-8 text, not-found for 404 and 410, refused for a redirect. */
  readonly fetchText: FetchText;
};

class PrivateAddress extends Error {}

/**
 * Creates the fetch of a Node process.
 *
 * Source: spec/identity.md ID-14 to ID-16.
 */
export function createHardenedFetch(options: HardenedFetchOptions = {}): HardenedFetch {
  const fetchBytes = createFetchBytes(options);
  return { fetchBytes, fetchText: textFetch(fetchBytes) };
}

function createFetchBytes(options: HardenedFetchOptions): FetchBytes {
  const { clock = createSystemClock(), lookupAll = resolveAll } = options;
  const lookup = pinnedLookup(lookupAll);
  const https = new HttpsAgent({ keepAlive: true, maxSockets: 32 });
  const http = new HttpAgent({ keepAlive: true, maxSockets: 32 });

  const fetchBytes: FetchBytes = (url, asked) => {
    const { method = 'GET', body, headers = {}, maxBytes, timeoutMs } = asked;
    const devHosts = typeof options.devHosts === 'function' ? options.devHosts() : options.devHosts;
    const dial = checkUrl(url, devHosts);
    if (!dial.ok) return Promise.resolve(err({ type: 'refused' }));
    const target = dial.value;
    const plain = target.protocol === 'http:';
    return new Promise((resolve) => {
      const request = (plain ? httpRequest : httpsRequest)(target, {
        method,
        agent: plain ? http : https,
        ...(plain ? {} : { lookup }),
        // A dev host hears the name it was asked under, as it would behind a real one.
        headers: {
          'accept-encoding': 'identity',
          ...headers,
          host: url.host,
          ...(body ? { 'content-length': `${body.length}` } : {}),
        },
      });
      const finish = (result: Result<FetchedBytes, FetchBytesFailure>): void => {
        cancelTimer();
        resolve(result);
        if (!result.ok) request.destroy();
      };
      const cancelTimer = clock.timer(timeoutMs, () => finish(err({ type: 'unreachable' })));
      request.on('error', (cause: NodeJS.ErrnoException) => {
        // The server closed an idle connection just as it was used again: asking anew is harmless for a GET.
        if (request.reusedSocket && method === 'GET' && cause.code === 'ECONNRESET') {
          cancelTimer();
          resolve(fetchBytes(url, asked));
        } else finish(err({ type: cause instanceof PrivateAddress ? 'refused' : 'unreachable' }));
      });
      request.on('response', (response) => collect(response, maxBytes, finish));
      request.end(body);
    });
  };
  return fetchBytes;
}

function textFetch(fetchBytes: FetchBytes): FetchText {
  return async (url, limits) => {
    const answer = await fetchBytes(url, limits);
    if (!answer.ok) return answer;
    const { status, headers, body } = answer.value;
    if (status === 404 || status === 410) return err({ type: 'not-found' });
    if (status >= 300 && status < 400) return err({ type: 'refused' });
    const encoding = headers['content-encoding'] ?? 'identity';
    if (status !== 200 || encoding !== 'identity') return err({ type: 'unreachable' });
    try {
      return ok(bytesToUtf8(body));
    } catch {
      return err({ type: 'unreachable' });
    }
  };
}

/** Reads the body up to the limit and not a byte further. */
function collect(
  response: IncomingMessage,
  maxBytes: number,
  finish: (result: Result<FetchedBytes, FetchBytesFailure>) => void,
): void {
  const chunks: Uint8Array[] = [];
  let size = 0;
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) {
    finish(err({ type: 'too-large' }));
    return;
  }
  response.on('data', (chunk: Uint8Array) => {
    size += chunk.length;
    if (size > maxBytes) finish(err({ type: 'too-large' }));
    else chunks.push(chunk);
  });
  response.on('aborted', () => finish(err({ type: 'unreachable' })));
  response.on('error', () => finish(err({ type: 'unreachable' })));
  response.on('end', () => {
    const { statusCode = 0, headers } = response;
    finish(ok({ status: statusCode, headers: flat(headers), body: new Uint8Array(Buffer.concat(chunks)) }));
  });
}

const flat = (headers: IncomingMessage['headers']): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]));

/**
 * A lookup for the socket itself: what it returns is what is dialled, so a name cannot point elsewhere after the check. One private
 * address among several refuses the name: an honest host has none.
 */
export function pinnedLookup(lookupAll: LookupAll = resolveAll): LookupFunction {
  return (name, options, callback) => {
    const fail = (cause: Error): void => callback(cause as NodeJS.ErrnoException, '', 0);
    lookupAll(name).then((addresses) => {
      const first = addresses[0];
      if (first === undefined) return fail(new Error('the name has no address'));
      if (addresses.some(({ address }) => isPrivateAddress(address)))
        return fail(new PrivateAddress('not a public address'));
      if (options.all) callback(null, [...addresses]);
      else callback(null, first.address, first.family);
    }, fail);
  };
}

const resolveAll: LookupAll = (name) =>
  new Promise((resolve, reject) => {
    systemLookup(name, { all: true, verbatim: true }, (cause, addresses) =>
      cause ? reject(cause) : resolve(addresses),
    );
  });
