/**
 * Versions of a grant's records as the application has read them. By them it is known of a document that is saved what the application has
 * changed in it and what it had only read, so that an older document undoes nothing. Must not know how records are kept or sent.
 */

import {
  bytesToHex,
  canonicalJson,
  type JsonObject,
  jsonEquals,
  type JsonValue,
  shownText,
  utf8ToBytes,
} from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import { isFieldName, type MergeRules } from '@sluice/core/record';
import { SluiceError } from '../errors.ts';

/** What a save changes of a record. `base` is what was read of the fields that merge by it; undefined when there are none. */
export type SavedChange = {
  readonly set: JsonObject;
  readonly remove: readonly string[];
  readonly base: JsonObject | undefined;
};

/** The versions of one grant that are still known. */
export type ReadVersions = {
  /** The record with its version as `_rev`. */
  readonly give: (record: JsonObject) => JsonObject;
  /**
   * What a document changes of the version that it was read as. `shown` is the record as it is now. Without `_rev` the document is the whole
   * record. Errors: REV_CONFLICT.
   */
  readonly changeBy: (document: JsonObject, shown: JsonObject | undefined) => SavedChange;
  /** Takes note of what a document has changed by write `n`: a later save of the same version may change it further. */
  readonly wrote: (n: number, document: JsonObject, change: SavedChange) => void;
  /** Write `n` has no effect: what it said may be said again. */
  readonly refused: (n: number) => void;
  readonly forget: () => void;
};

/** A version that was read, and what was written over it since it was last shown: as text, since the application may change what it was given. */
type Version = { readonly text: string; readonly own: Map<string, readonly Own[]> };
/** What write `n` made of a field. */
type Own = { readonly text: string; readonly n: number };

/** Characters of all versions that are kept, and of what was written over them; the one that was read longest ago goes first. */
const MAX_KEPT_CHARACTERS = 1024 * 1024;
const REV_BYTES = 12;
const ABSENT = '';

/** Keeps no version yet. */
export function createReadVersions(merges: MergeRules): ReadVersions {
  const known = new Map<string, Version>();
  let characters = 0;
  const drop = (rev: string): void => {
    const version = known.get(rev);
    if (!version) return;
    known.delete(rev);
    characters -= version.text.length;
    for (const { text } of [...version.own.values()].flat()) characters -= text.length;
  };
  const dropOldest = (): void => {
    for (const oldest of known.keys()) {
      if (characters <= MAX_KEPT_CHARACTERS) return;
      drop(oldest);
    }
  };
  /** What is shown so has nothing of the application's own over it. */
  const keep = (rev: string, text: string): void => {
    drop(rev);
    known.set(rev, { text, own: new Map() });
    characters += text.length;
    dropOldest();
  };
  const readAs = (rev: string, id: JsonValue | undefined, shown: JsonObject | undefined): JsonObject | undefined => {
    const text = shown && contentOf(shown);
    if (text !== undefined && printOf(text) === rev) {
      keep(rev, text);
      return shown;
    }
    const version = known.get(rev);
    const read = version && (JSON.parse(version.text) as JsonObject);
    return read?._id === id ? read : undefined;
  };
  const ruleOf = (name: string): string => merges.get(name) ?? 'lww';

  return {
    give: (record) => {
      const text = contentOf(record);
      const _rev = printOf(text);
      keep(_rev, text);
      return { ...record, _rev };
    },
    changeBy: (document, shown) => {
      const { _rev } = document;
      const read = typeof _rev === 'string' ? readAs(_rev, document._id, shown) : undefined;
      // Who reads no records can read none again: what it saves is all there is to go by.
      if (typeof _rev === 'string' && shown && !read)
        throw new SluiceError(
          'REV_CONFLICT',
          'The record changed since it was read, and it is not known any more what it was then. Read it again and save on top.',
        );
      const seen = read ?? shown ?? {};
      const own = read && known.get(String(_rev))?.own;
      const ownText = (name: string): string | undefined => own?.get(name)?.at(-1)?.text;
      const isMerged = (name: string): boolean =>
        Object.hasOwn(seen, name) && ['set', 'counter'].includes(ruleOf(name));
      /** What a field that merges was when the document last said something of it: what was said then is not said twice. */
      const groundOf = (name: string): JsonValue | undefined => {
        const text = ownText(name);
        return text === undefined ? seen[name] : text === ABSENT ? undefined : (JSON.parse(text) as JsonValue);
      };
      /** Whether what a document says of a field is news to the record as it is now. */
      const isNews = (name: string, value: JsonValue | undefined): boolean => {
        if (isMerged(name)) return !isSame(groundOf(name), value);
        if (!read || !shown) return true;
        const now = shown[name];
        if (isSame(now, value)) return false;
        const isOwn = own?.get(name)?.some(({ text }) => text === textOf(now)) ?? false;
        if (!['max', 'min'].includes(ruleOf(name)) && !isSame(now, read[name]) && !isOwn)
          throw new SluiceError(
            'REV_CONFLICT',
            `Somebody else has changed ${shownText(name)} since the record was read. Read it again and save on top.`,
          );
        return true;
      };
      const set: Record<string, JsonValue> = {};
      for (const [name, value] of Object.entries(document)) {
        // What no grantee sets is left as it is when a record that was read is saved again.
        if (!isFieldName(name) || value === undefined) continue;
        // Back to what was read is a change as well, of what was written since.
        if (isSame(seen[name], value) && !own?.has(name)) continue;
        if (isNews(name, value)) set[name] = value;
      }
      const remove = [...new Set([...Object.keys(seen), ...(own?.keys() ?? [])])].filter(
        (name) => isFieldName(name) && !Object.hasOwn(document, name) && isNews(name, undefined),
      );
      const merged = [...Object.keys(set), ...remove].filter(isMerged);
      const base: Record<string, JsonValue> = {};
      for (const name of merged) {
        const ground = groundOf(name);
        if (ground !== undefined) base[name] = ground;
      }
      return { set, remove, base: Object.keys(base).length === 0 ? undefined : base };
    },
    wrote: (n, { _rev }, { set, remove }) => {
      const own = known.get(String(_rev))?.own;
      if (!own) return;
      for (const name of [...Object.keys(set), ...remove]) {
        const text = textOf(set[name]);
        characters += text.length;
        own.set(name, [...(own.get(name) ?? []), { text, n }]);
      }
      dropOldest();
    },
    refused: (n) => {
      for (const { own } of known.values())
        for (const [name, said] of own) {
          const left = said.filter((one) => one.n !== n);
          for (const { text } of said) characters -= text.length;
          for (const { text } of left) characters += text.length;
          if (left.length > 0) own.set(name, left);
          else own.delete(name);
        }
    },
    forget: () => {
      known.clear();
      characters = 0;
    },
  };
}

/** What a version is of: the record's name and what can be set of it. Times differ between a write that is on its way and one that was made. */
const contentOf = (record: JsonObject): string =>
  canonicalJson(Object.fromEntries(Object.entries(record).filter(([name]) => name === '_id' || isFieldName(name))));
const printOf = (text: string): string => bytesToHex(sha256(utf8ToBytes(text)).subarray(0, REV_BYTES));
const textOf = (value: JsonValue | undefined): string => (value === undefined ? ABSENT : canonicalJson(value));
const isSame = (a: JsonValue | undefined, b: JsonValue | undefined): boolean =>
  a === undefined || b === undefined ? a === b : jsonEquals(a, b);
