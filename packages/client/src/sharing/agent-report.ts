/** What an agent tells of what it did, read as the word of a stranger: a key that was stolen may have written it. Must not know how it came or is kept. */

import { isDid, isJsonObject, type JsonObject, type JsonValue, utf8ToBytes } from '@sluice/core/base';
import type { Activity, GrantRelease, OfGrant, ReleasedRecord } from './activity.ts';

/** An event as an agent tells it. */
export type ReportedEvent = { readonly activity: Activity; readonly atMs: number; readonly counter: number };

/** The largest event that is taken, in bytes: an honest one is smaller, and a larger one might not fit a record. */
const MAX_EVENT_BYTES = 800_000;
const OPERATIONS: readonly unknown[] = ['insert', 'update', 'delete'];

/**
 * Reads an event under its id. Of releases, writes, verdicts and completions of its own grants an agent may tell, and of nothing else;
 * undefined for whatever else it says.
 */
export function readReport(
  id: string,
  record: JsonObject,
  isItsGrant: (grantId: string) => boolean,
): ReportedEvent | undefined {
  const { at, counter, event } = record;
  if (!isCount(at) || !isCount(counter) || !isJsonObject(event)) return undefined;
  if (utf8ToBytes(JSON.stringify(event)).length > MAX_EVENT_BYTES) return undefined;
  const activity = readActivity(event);
  // Under the name of another event it would keep that one from being noted.
  const isOwnName = activity && (id.startsWith(`${activity.type}/`) || /^[0-9a-f]{16}\/[0-9a-f]{16}$/.test(id));
  if (!activity || !isOwnName || !grantsOf(activity).every(isItsGrant)) return undefined;
  return { activity, atMs: at, counter };
}

const grantsOf = (activity: Activity): readonly string[] => {
  if (activity.type === 'release') return activity.releases.map(({ grantId }) => grantId);
  return 'grantId' in activity ? [activity.grantId] : [];
};

function readActivity(event: JsonObject): Activity | undefined {
  if (event.type === 'release') {
    const releases = mapAll(event.releases, readRelease);
    return releases && { type: 'release', releases };
  }
  const of = readOf(event);
  if (event.type === 'completion') return of && { type: 'completion', ...of };
  const { n, recordId, operation, accepted, code } = event;
  if (!of || !isCount(n) || typeof recordId !== 'string' || !isOperation(operation)) return undefined;
  const write = { ...of, n, recordId, operation };
  if (event.type === 'write') return { type: 'write', ...write };
  if (event.type !== 'verdict' || typeof accepted !== 'boolean') return undefined;
  return { type: 'verdict', ...write, accepted, ...(typeof code === 'string' ? { code } : {}) };
}

function readRelease(value: JsonValue): GrantRelease | undefined {
  if (!isJsonObject(value)) return undefined;
  const of = readOf(value);
  const puts = mapAll(value.puts, readPut);
  const deletes = mapAll(value.deletes, (id) => (typeof id === 'string' ? id : undefined));
  const { first, last } = value;
  return of && puts && deletes && isCount(first) && isCount(last) ? { ...of, puts, deletes, first, last } : undefined;
}

function readPut(value: JsonValue): ReleasedRecord | undefined {
  if (typeof value === 'string') return { id: value };
  const [id, expiresMs]: readonly unknown[] = Array.isArray(value) ? value : [];
  return typeof id === 'string' && isCount(expiresMs) ? { id, expiresMs } : undefined;
}

const readOf = ({ grantId, grantee }: JsonObject): OfGrant | undefined =>
  typeof grantId === 'string' && isDid(grantee) ? { grantId, grantee } : undefined;

/** Every item read; undefined where there is no list, or one item cannot be. */
function mapAll<T>(value: JsonValue | undefined, read: (item: JsonValue) => T | undefined): T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items = (value as readonly JsonValue[]).flatMap((item): T[] => {
    const one = read(item);
    return one === undefined ? [] : [one];
  });
  return items.length === value.length ? items : undefined;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isOperation = (value: unknown): value is 'insert' | 'update' | 'delete' => OPERATIONS.includes(value);
