/** Requests and answers of agents as text: a link that is shown, pasted or put into a file. */

import { existsSync, readFileSync } from 'node:fs';
import { UsageError } from './exit-codes.ts';

/** What a request of an agent looks like, and the answer to it. */
export const AGENT_LINK = { request: 'sluice-agent:', answer: 'sluice-agent-answer:' } as const;

/** Writes a document as a link. */
export const agentLink = (kind: keyof typeof AGENT_LINK, document: Uint8Array): string =>
  `${AGENT_LINK[kind]}${Buffer.from(document).toString('base64url')}`;

/** Reads a link, or the file that holds one. */
export function agentDocument(kind: keyof typeof AGENT_LINK, given: string): Uint8Array {
  const text = (existsSync(given) ? readFileSync(given, 'utf8') : given).trim();
  const packed = text.startsWith(AGENT_LINK[kind]) ? text.slice(AGENT_LINK[kind].length) : undefined;
  if (packed === undefined || !/^[A-Za-z0-9_-]+$/.test(packed))
    throw new UsageError(`This is no ${kind} of an agent. It begins with ${AGENT_LINK[kind]}, or is a file that does.`);
  return new Uint8Array(Buffer.from(packed, 'base64url'));
}
