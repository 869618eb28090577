import type { FieldFormats } from '@sluice/core/filter';
import { describe, expect, it } from 'vitest';
import type { LoadedSchema } from '../schema/index.ts';
import { consentSentence } from './consent-sentence.ts';
import { type RequestItem, toTerms } from './terms.ts';

const FORMATS: FieldFormats = new Map([['born', 'date']]);
const schema = { id: 'a', hash: 'ab'.repeat(32), formats: FORMATS, title: 'Visit' } as unknown as LoadedSchema;
const sentence = async (item: Partial<RequestItem>, more: Partial<LoadedSchema> = {}): Promise<string> =>
  consentSentence(
    await toTerms({ schema: 'a', ...item }, async () => schema),
    { ...schema, ...more },
    'clinic.example',
  );

describe('the sentence an owner reads', () => {
  it.each<[Partial<RequestItem>, string]>([
    [{}, 'clinic.example may read your Visit records (all, the whole records), from now on, until you revoke it.'],
    [
      { filter: { born: { $within: 'P6M' } }, fields: ['kind', 'born'], duration: 'once' },
      'clinic.example may read your Visit records (those where born is within the last 6 months, only born, kind), once.',
    ],
    [
      {
        fields: [
          'kind',
          { path: 'born', transform: 'year' },
          { path: 'ssn', optional: true, transform: 'pseudonym' },
          { path: 'price', transform: { round: 0.5 } },
          { path: 'note', optional: true },
          { path: 'note.author', transform: 'drop' },
        ],
        duration: { until: '2026-10-15T14:00:00+02:00' },
      },
      'clinic.example may read your Visit records (all, only kind, note, the year of born, price rounded to 0.5, a pseudonym for ssn, without note.author, of which you may leave out note, ssn), from now until 2026-10-15 12:00 UTC, unless you revoke it before.',
    ],
    [
      { fields: [{ path: 'ssn', transform: 'drop' }], frequency: 'P1W', retention: 'P1Y6M' },
      'clinic.example may read your Visit records (all, the whole records, without ssn), from now on, until you revoke it. It is told of changes at most once in 7 days. It says that it keeps what it got for 1 year and 6 months after the end.',
    ],
    [
      {
        access: 'readwrite',
        write: { operations: ['insert', 'update', 'delete'], fields: ['note', 'kind'], perDay: 1500 },
      },
      'clinic.example may read and change your Visit records (all, the whole records), from now on, until you revoke it. It may add, change and delete such records, setting only kind, note, up to 1,500 a day, and each waits for your yes.',
    ],
    [
      { access: 'write', write: { operations: ['insert'], policy: 'auto' }, filter: { kind: 'x' }, frequency: 'P1D' },
      'clinic.example may write to your Visit records (those where kind is "x"), from now on, until you revoke it. It reads none of them. It may add such records, up to 10,000 a day, and they count without asking you.',
    ],
    [
      { frequency: 'P1D', duration: 'once' },
      'clinic.example may read your Visit records (all, the whole records), once.',
    ],
  ])('[GRANT-25] says all that matters of %j', async (item, expected) => {
    expect(await sentence(item)).toBe(expected);
  });

  it('names the records as their schema does', async () => {
    expect(await sentence({}, { titlePlural: 'Visits' })).toContain('may read your Visits (all');
  });

  it('[GRANT-25] quotes what a schema calls its records when it is more than words', async () => {
    const titlePlural = 'notes (none of them). It may never read your letters';
    expect(await sentence({}, { titlePlural })).toBe(
      `clinic.example may read your "${titlePlural}" (all, the whole records), from now on, until you revoke it.`,
    );
    expect(await sentence({}, { title: 'Doctor’s visit' })).toContain('may read your Doctor’s visit records (all');
  });
});
