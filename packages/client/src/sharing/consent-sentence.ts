/** The terms of a grant in plain words: what an owner reads before agreeing, and what the receipt then says was shown (spec/grant.md). */

import { describe, parseFilter, parseSpan, spanWords } from '@sluice/core/filter';
import {
  type FieldTerm,
  type GrantTerms,
  isDrop,
  isOptional,
  MAX_SCHEMA_ID,
  pathOf,
  transformOf,
} from '@sluice/core/grant';
import { type Did, shownText, shownValue } from '@sluice/core/base';
import type { LoadedSchema } from '../schema/index.ts';

/** How a requester is called on screen: its verified domain, or its DID where it has none. */
export const displayName = (did: Did): string =>
  did.startsWith('did:web:') ? decodeURIComponent(did.slice('did:web:'.length)) : did;

/** What a schema calls itself is its author's text: one that is more than words is quoted, so that it says nothing of what is given. */
const PLAIN_TITLE = /^(?:(?!\p{DI})[\p{L}\p{M}\p{N} '’&/-])+$/u;
/** The title of a schema, inside of a sentence. */
export const titleWords = (title: string): string =>
  PLAIN_TITLE.test(title) && shownText(title) === title ? title : shownValue(title);

/** The id of a schema that is not known here, inside of a sentence. */
export const shownSchema = (id: string): string => `"${shownText(id, MAX_SCHEMA_ID)}"`;

/** Says who may do what with which records, which parts of them, for how long, and what else was agreed. */
export function consentSentence(terms: GrantTerms, schema: LoadedSchema, who: string): string {
  const { access, filter, fields = [], duration, frequency, retention } = terms;
  const verb = { read: 'read', write: 'write to', readwrite: 'read and change' }[access];
  const what = schema.titlePlural ? titleWords(schema.titlePlural) : `${titleWords(schema.title)} records`;
  const parsed = parseFilter(filter, schema.formats);
  const condition =
    Object.keys(filter).length === 0 ? 'all' : `those where ${parsed.ok ? describe(parsed.value, schema.lists) : ''}`;
  const parts = access === 'write' ? '' : `, ${fieldWords(fields)}`;
  const sentences = [`${who} may ${verb} your ${what} (${condition}${parts}), ${durationWords(duration)}.`];
  if (access === 'write') sentences.push('It reads none of them.');
  if (terms.write) sentences.push(writeWords(terms.write));
  if (frequency && access !== 'write' && duration !== 'once')
    sentences.push(`It is told of changes at most once in ${words(frequency)}.`);
  if (retention && access !== 'write')
    sentences.push(`It says that it keeps what it got for ${words(retention)} after the end.`);
  return sentences.join(' ');
}

function fieldWords(fields: readonly FieldTerm[]): string {
  // What is changed comes last, so that nobody reads its words as if they were said of the fields behind it.
  const shown = fields
    .filter((term) => !isDrop(term))
    .toSorted((a, b) => Number(transformOf(a) !== undefined) - Number(transformOf(b) !== undefined));
  const dropped = fields.filter(isDrop).map(pathOf);
  const optional = fields.filter(isOptional).map(pathOf);
  return [
    shown.length === 0 ? 'the whole records' : `only ${shown.map(shownWords).join(', ')}`,
    ...(dropped.length > 0 ? [`without ${dropped.join(', ')}`] : []),
    ...(optional.length > 0 ? [`of which you may leave out ${optional.join(', ')}`] : []),
  ].join(', ');
}

function shownWords(term: FieldTerm): string {
  const transform = transformOf(term);
  if (transform === 'year') return `the year of ${pathOf(term)}`;
  if (transform === 'pseudonym') return `a pseudonym for ${pathOf(term)}`;
  return typeof transform === 'object' ? `${pathOf(term)} rounded to ${transform.round}` : pathOf(term);
}

function durationWords(duration: GrantTerms['duration']): string {
  if (duration === 'once') return 'once';
  if (duration === 'standing') return 'from now on, until you revoke it';
  return `from now until ${duration.until.slice(0, 16).replace('T', ' ')} UTC, unless you revoke it before`;
}

const OPERATIONS = { insert: 'add', update: 'change', delete: 'delete' };

function writeWords({ operations, fields, policy, perDay }: NonNullable<GrantTerms['write']>): string {
  const verbs = operations.map((o) => OPERATIONS[o]);
  const list = verbs.length > 1 ? `${verbs.slice(0, -1).join(', ')} and ${verbs.at(-1)}` : verbs[0];
  const which = fields ? `, setting only ${fields.join(', ')}` : '';
  const when = policy === 'propose' ? 'each waits for your yes' : 'they count without asking you';
  return `It may ${list} such records${which}, up to ${perDay.toLocaleString('en-US')} a day, and ${when}.`;
}

const words = (span: string): string => {
  const parsed = parseSpan(span);
  return parsed ? spanWords(parsed) : span;
};
