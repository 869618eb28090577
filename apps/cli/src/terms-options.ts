/** The terms of a grant as options: what an app asks for, and what a person gives of it. */

import type { Narrowing, RequestItem } from '@sluice/client';
import type { FieldTerm, FieldTransform, GrantDuration, WriteOperation, WriteTerms } from '@sluice/core/grant';
import type { Command } from 'commander';
import { instant, jsonObject, listOf, whole } from './arguments.ts';
import { UsageError } from './exit-codes.ts';

export type TermsOptions = {
  readonly filter?: string;
  readonly fields?: string[];
  readonly optional?: string[];
  readonly transform?: string[];
  readonly once?: boolean;
  readonly until?: number;
  readonly write?: string[];
  readonly writeFields?: string[];
  readonly auto?: boolean;
  readonly propose?: boolean;
  readonly perDay?: number;
};
export type AskOptions = TermsOptions & {
  readonly schema: string;
  readonly access?: string;
  readonly retention?: string;
  readonly frequency?: string;
};

const OPERATIONS: readonly string[] = ['insert', 'update', 'delete'] satisfies WriteOperation[];
type Access = NonNullable<RequestItem['access']>;
const ACCESS: readonly string[] = ['read', 'write', 'readwrite'] satisfies Access[];

/** Adds the options of what an app asks for. */
export const addAskOptions = (command: Command): Command =>
  addShared(command)
    .option('--optional <list>', 'which fields more, that the person may leave out', listOf)
    .option('--access <what>', 'read, write or readwrite', 'read')
    .option('--retention <duration>', 'how long what was received is kept after the end, e.g. P1Y')
    .option('--frequency <duration>', 'at most one delivery in so long, e.g. PT1H')
    .option('--auto', 'writes count without the person being asked');

/** Adds the options of what a person gives less. */
export const addNarrowingOptions = (command: Command): Command =>
  addShared(command).option('--propose', 'each write waits for your yes');

const addShared = (command: Command): Command =>
  command
    .option('--filter <json>', 'which records, in the filter language')
    .option('--fields <list>', 'which fields, separated by commas', listOf)
    .option('--transform <list>', 'changed fields: a=year,b=pseudonym,c=round:10,d=drop', listOf)
    .option('--once', 'one delivery instead of a live stream')
    .option('--until <date>', 'a live stream until then', instant('end'))
    .option('--write <list>', 'what may be written: insert, update, delete', listOf)
    .option('--write-fields <list>', 'which fields may be written, separated by commas', listOf)
    .option('--per-day <n>', 'how many writes a day', whole(1));

/** What an app asks for. Throws UsageError. */
export function toRequestItem(options: AskOptions): RequestItem {
  const { schema, access = 'read', retention, frequency } = options;
  if (!ACCESS.includes(access)) throw new UsageError('--access is read, write or readwrite.');
  const fields = fieldsOf(options);
  const { operations, ...write } = writeOf(options);
  if (!operations && Object.keys(write).length > 0) throw new UsageError('Say with --write what may be written.');
  return {
    schema,
    access: access as Access,
    filter: jsonObject(options.filter, '--filter'),
    duration: durationOf(options) ?? 'standing',
    ...(fields ? { fields } : {}),
    ...(retention === undefined ? {} : { retention }),
    ...(frequency === undefined ? {} : { frequency }),
    ...(operations ? { write: { ...write, operations } } : {}),
  };
}

/** What a person gives of it. Throws UsageError. */
export function toNarrowing(options: TermsOptions): Narrowing {
  const fields = fieldsOf(options);
  const duration = durationOf(options);
  const write = writeOf(options);
  return {
    ...(options.filter === undefined ? {} : { filter: jsonObject(options.filter, '--filter') }),
    ...(fields ? { fields } : {}),
    ...(duration ? { duration } : {}),
    ...(Object.keys(write).length > 0 ? { write } : {}),
  };
}

function durationOf({ once, until }: TermsOptions): GrantDuration | undefined {
  if (once && until !== undefined) throw new UsageError('It is --once or --until, not both.');
  if (once) return 'once';
  return until === undefined ? undefined : { until: new Date(until).toISOString() };
}

function writeOf(options: TermsOptions): Partial<WriteTerms> {
  const { write, writeFields, auto, propose, perDay } = options;
  const unknown = write?.find((operation) => !OPERATIONS.includes(operation));
  if (unknown !== undefined) throw new UsageError('--write is a list of insert, update and delete.');
  return {
    ...(write ? { operations: write as WriteOperation[] } : {}),
    ...(writeFields ? { fields: writeFields } : {}),
    ...(auto || propose ? { policy: auto ? ('auto' as const) : ('propose' as const) } : {}),
    ...(perDay === undefined ? {} : { perDay }),
  };
}

/** One term a path: required if it is in `--fields`, or changed and not in `--optional`. */
function fieldsOf({ fields = [], optional = [], transform = [] }: TermsOptions): FieldTerm[] | undefined {
  const changes = new Map(transform.map(toChange));
  const paths = [...new Set([...fields, ...optional, ...changes.keys()])];
  if (paths.length === 0) return undefined;
  return paths.map((path): FieldTerm => {
    const change = changes.get(path);
    return {
      path,
      ...(optional.includes(path) ? { optional: true as const } : {}),
      ...(change ? { transform: change } : {}),
    };
  });
}

function toChange(text: string): readonly [string, FieldTransform] {
  const [path = '', how = ''] = text.split('=');
  const step = /^round:(.+)$/.exec(how)?.[1];
  if (step !== undefined && Number(step) > 0) return [path, { round: Number(step) }];
  if (how === 'drop' || how === 'year' || how === 'pseudonym') return [path, how];
  throw new UsageError('--transform is a list like born=year,ssn=pseudonym,price=round:10,note=drop.');
}
