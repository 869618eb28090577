/**
 * How a write lies in the log of the owner: as one record, or as several where it is too large for one. What a write sets and what was there
 * before may each be as large as a record. Must not know who wrote.
 */

import { bytesToHex, type JsonObject, type JsonValue, utf8ToBytes } from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';

/** A record of the log. */
export type LogItem = { readonly id: string; readonly document: JsonObject };

/** Characters of what one record takes beside the head: at most three bytes each, or a backslash more, they stay below what a record may have. */
const MAX_CHARACTERS = 250_000;

/**
 * Lays a write down under an id, its parts before its head, so that whoever gets the head has the parts. `head` is what it is looked for by.
 * The parts are named by what they say: two devices that say otherwise do not mix theirs.
 */
export function toLogItems(id: string, head: JsonObject, content: JsonObject): readonly LogItem[] {
  const text = JSON.stringify(content);
  if (text.length <= MAX_CHARACTERS) return [{ id, document: { ...head, ...content } }];
  const name = bytesToHex(sha256(utf8ToBytes(text)).subarray(0, 8));
  const count = Math.ceil(text.length / MAX_CHARACTERS);
  const parts = Array.from({ length: count }, (_, i) => ({
    id: partId(id, name, i),
    document: { part: text.slice(i * MAX_CHARACTERS, (i + 1) * MAX_CHARACTERS) },
  }));
  return [...parts, { id, document: { ...head, parts: { name, count } } }];
}

/** Reads what `toLogItems` made; undefined for a part alone, and while a part is missing. */
export function fromLogItem(
  { parts, ...document }: JsonObject,
  partOf: (id: string) => JsonObject | undefined,
): { readonly [name: string]: JsonValue } | undefined {
  if (document.part !== undefined) return undefined;
  if (parts === undefined) return document;
  const { name, count } = parts as { readonly name: string; readonly count: number };
  const texts: string[] = [];
  for (let i = 0; i < count; i++) {
    const part = partOf(partId(String(document._id), name, i))?.part;
    if (typeof part !== 'string') return undefined;
    texts.push(part);
  }
  // Our own writing, whole.
  return { ...document, ...(JSON.parse(texts.join('')) as JsonObject) };
}

/** Whether a write has to be laid down in parts. */
export const isLarge = (content: JsonObject): boolean => JSON.stringify(content).length > MAX_CHARACTERS;

const partId = (id: string, name: string, i: number): string => `${id}/${name}/${i}`;
