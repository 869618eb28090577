/** What an app serves at its origin: the DID document that its account is known by. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Account } from '@sluice/client';
import { didDocumentOf } from '@sluice/client';

/** Answers `/.well-known/did.json`; anything else is not found. */
export function publishApp(account: Account, request: IncomingMessage, response: ServerResponse): void {
  if (request.url !== '/.well-known/did.json') {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'content-type': 'application/did+json' }).end(JSON.stringify(didDocumentOf(account)));
}
