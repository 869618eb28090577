/**
 * The owner's activity log: an encrypted collection of the home space, on all devices of the owner the same. Events are only added. A
 * release is noted here before the push that makes it. Must not know requests, feeds or keys.
 */

import { bytesToHex, isJsonObject, type Clock, type Did, type JsonObject, type Random } from '@sluice/core/base';
import { parseFilter, parseSpan, subtractSpan } from '@sluice/core/filter';
import { SluiceError } from '../errors.ts';
import type { SpaceEngine } from '../space/space-engine.ts';
import type { Collection, CollectionShape, SaveItem } from '../store/collection.ts';
import { readReport } from './agent-report.ts';
import {
  type Activity,
  type ActivityEvent,
  activityToJson,
  type GrantRelease,
  jsonToActivity,
  keyOf,
  type ReleasedRecord,
  subjectsOf,
} from './activity.ts';
import { foldReport, type Report } from './activity-report.ts';

/** Which events are listed; newest first, all of them unless limited. */
export type ActivityQuery = {
  readonly grantee?: Did;
  readonly grantId?: string;
  readonly sinceMs?: number;
  readonly limit?: number;
};

/** The log of one account. */
export type ActivityLog = {
  /** Adds events in their order, durably and under one seal, to be sent with the next push. May be called inside a transaction of the store. */
  readonly note: (...activities: readonly Activity[]) => void;
  /** Whether an event that is named by what it is of was noted, by whichever device, and is kept. */
  readonly has: (activity: Activity) => boolean;
  readonly list: (query?: ActivityQuery) => readonly ActivityEvent[];
  /** What a grantee knew at an instant. */
  readonly report: (grantee: Did, atMs: number) => Report;
  /**
   * How long events are kept, on every device: an ISO 8601 duration, or undefined for ever, which is the default. What is older is removed
   * now and later. Errors: BAD_REQUEST.
   */
  readonly keep: (duration: string | undefined) => void;
  /** Removes what is older than that. */
  readonly prune: () => void;
  /**
   * Takes over what an agent noted in a collection of its own, and empties that. An agent tells of releases, writes, verdicts and completions
   * of its own grants, and of nothing else.
   */
  readonly adopt: (from: Collection, isItsGrant: (grantId: string) => boolean) => void;
  /** The duration that `keep` set. */
  readonly kept: () => string | undefined;
};

/** What a log stands on. */
export type ActivityLogDeps = {
  readonly engine: Pick<SpaceEngine, 'collection' | 'hlc' | 'nudge'>;
  readonly clock: Clock;
  readonly random: Random;
};

const ACTIVITY = 'activity';
/** How the log is indexed. */
export const ACTIVITY_SHAPE: CollectionShape = {
  indexes: [
    { name: 'at', fields: ['at'] },
    { name: 'grantees', fields: ['grantees', 'at'] },
    { name: 'grants', fields: ['grants', 'at'] },
  ],
  formats: new Map(),
  merges: new Map(),
};
/** The record that says how long events are kept. It has no time, so no list shows it. */
const SETTINGS = 'settings';
/** The span in which the newest events are looked for first; it doubles until enough are found. */
const FIRST_LOOK_MS = 3_600_000;
const PRUNE_EVERY_MS = 86_400_000;
const PRUNE_RECORDS = 500;
/** Ids in one record of a release, in characters: a push may release more than one sealed entry holds. */
const MAX_IDS_CHARS = 256 * 1024;

/** Opens the log of a home space. */
export function createActivityLog({ engine, clock, random }: ActivityLogDeps): ActivityLog {
  const log: Collection = engine.collection(ACTIVITY, ACTIVITY_SHAPE);
  let prunedMs = clock.nowMs();

  const nameOf = (activity: Activity): string | undefined => {
    const key = keyOf(activity);
    return key === undefined ? undefined : `${activity.type}/${key}`;
  };
  const toItem = (activity: Activity): SaveItem => {
    // Later than all that is known here, whatever the wall clock says: events of one grant are folded in this order.
    const { ms, counter } = engine.hlc.tick();
    const id = nameOf(activity) ?? `${hex(ms, 12)}${hex(counter, 4)}/${bytesToHex(random(8))}`;
    return itemOf(id, activity, ms, counter);
  };

  const find = (filter: JsonObject): readonly ActivityEvent[] => {
    const parsed = parseFilter(filter);
    if (!parsed.ok) throw new TypeError('the log’s own filter cannot be read');
    return log
      .query(parsed.value, clock.nowMs(), {})
      .records.map(toEvent)
      .sort((a, b) => b.atMs - a.atMs || b.counter - a.counter || (a.id < b.id ? 1 : -1));
  };

  const kept = (): string | undefined => {
    const duration = log.get(SETTINGS)?.keep;
    return typeof duration === 'string' ? duration : undefined;
  };

  /** Removes what is past its time. */
  const prune = (): void => {
    prunedMs = clock.nowMs();
    const span = parseSpan(kept() ?? '');
    const old = span && parseFilter({ at: { $lt: subtractSpan(prunedMs, span) } });
    if (!old?.ok) return;
    for (;;) {
      const { records } = log.query(old.value, prunedMs, { limit: PRUNE_RECORDS });
      if (records.length === 0) return;
      log.remove(records.map((r) => String(r._id)));
    }
  };

  return {
    note: (...activities) => {
      if (activities.length === 0) return;
      log.save(activities.flatMap(inRecords).map(toItem));
      // A release is noted by whoever is about to push.
      if (activities.some(({ type }) => type !== 'release')) engine.nudge();
      if (clock.nowMs() - prunedMs >= PRUNE_EVERY_MS) prune();
    },
    has: (activity) => {
      const name = nameOf(activity);
      return name !== undefined && log.get(name) !== undefined;
    },
    list: (query = {}) => {
      const { grantee, grantId, sinceMs = 0, limit } = query;
      const about = { ...(grantee ? { grantees: grantee } : {}), ...(grantId ? { grants: grantId } : {}) };
      const nowMs = clock.nowMs();
      for (let span = FIRST_LOOK_MS; ; span *= 2) {
        const fromMs = limit === undefined ? sinceMs : Math.max(sinceMs, nowMs - span);
        const found = find({ ...about, at: { $gte: fromMs } });
        if (limit === undefined || found.length >= limit || fromMs <= sinceMs)
          return found.slice(0, limit).map((event) => narrowed(event, query));
      }
    },
    report: (grantee, atMs) =>
      foldReport(grantee, atMs, [...find({ grantees: grantee, at: { $lte: atMs } })].reverse()),
    keep: (duration) => {
      if (duration !== undefined && !parseSpan(duration))
        throw new SluiceError('BAD_REQUEST', `${duration} is no duration. Write one like P2Y or P90D.`);
      log.save([{ id: SETTINGS, document: { keep: duration ?? null }, force: true }]);
      prune();
      engine.nudge();
    },
    adopt: (from, isItsGrant) => {
      const ids = from.ids();
      if (ids.length === 0) return;
      // Its clock may say anything: what is dated ahead would stand before all that comes after it.
      const nowMs = engine.hlc.now();
      const events = ids.flatMap((id): SaveItem[] => {
        const told = readReport(id, from.get(id) ?? {}, isItsGrant);
        return told ? [itemOf(id, told.activity, Math.min(told.atMs, nowMs), told.counter)] : [];
      });
      log.save(events);
      from.remove(ids);
      engine.nudge();
    },
    prune,
    kept,
  };
}

const itemOf = (id: string, activity: Activity, at: number, counter: number): SaveItem => ({
  id,
  document: { at, counter, ...subjectsOf(activity), event: activityToJson(activity) },
  force: true,
  onlyNew: true,
});

function toEvent(record: JsonObject): ActivityEvent {
  const activity = jsonToActivity(isJsonObject(record.event) ? record.event : {});
  return { ...activity, id: String(record._id), atMs: Number(record.at), counter: Number(record.counter) };
}

/** An event as one or more that each fit a record. */
function inRecords(activity: Activity): readonly Activity[] {
  if (activity.type !== 'release') return [activity];
  const records: GrantRelease[][] = [[]];
  let chars = 0;
  for (const release of activity.releases) {
    let puts: ReleasedRecord[] = [];
    let deletes: string[] = [];
    const close = (): void => {
      if (puts.length + deletes.length > 0) records.at(-1)?.push({ ...release, puts, deletes });
      puts = [];
      deletes = [];
    };
    const count = (id: string): void => {
      chars += id.length;
      if (chars <= MAX_IDS_CHARS) return;
      close();
      records.push([]);
      chars = id.length;
    };
    for (const put of release.puts) {
      count(put.id);
      puts.push(put);
    }
    for (const id of release.deletes) {
      count(id);
      deletes.push(id);
    }
    close();
  }
  return records.filter((releases) => releases.length > 0).map((releases): Activity => ({ type: 'release', releases }));
}

/** An event without what it says of other grantees and grants than were asked for: a push releases to several at once. */
function narrowed(event: ActivityEvent, { grantee, grantId }: ActivityQuery): ActivityEvent {
  if (event.type !== 'release') return event;
  const isAskedFor = (r: GrantRelease): boolean =>
    (grantee === undefined || r.grantee === grantee) && (grantId === undefined || r.grantId === grantId);
  return { ...event, releases: event.releases.filter(isAskedFor) };
}

const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');
