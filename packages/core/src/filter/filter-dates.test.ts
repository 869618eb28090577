import { describe, expect, it } from 'vitest';
import { type FieldFormat, filterDates, instantsAt, parseFilter } from './index.ts';

const formats = new Map<string, FieldFormat>([
  ['date', 'date'],
  ['visits.period.start', 'date-time'],
  ['visits.billed', 'date'],
]);

describe('the dates of a filter', () => {
  it('are found wherever their conditions stand, and in every item of a list', () => {
    const parsed = parseFilter(
      {
        $or: [
          { date: { $gte: '2020-01-01' } },
          { $not: { name: 'x', visits: { $elemMatch: { 'period.start': { $lt: '2021-01-01T00:00:00Z' }, cost: 1 } } } },
        ],
      },
      formats,
    );
    const dates = parsed.ok ? [...filterDates(parsed.value)] : [];
    expect(dates).toEqual([
      ['date', 'date'],
      ['visits.period.start', 'date-time'],
    ]);
    const start = (iso: string) => ({ period: { start: iso } });
    const record = { visits: [start('2020-05-01T00:00:00Z'), start('no date'), {}, start('2020-06-01T00:00:00Z')] };
    expect(dates.flatMap(([path, format]) => instantsAt(record, path, format))).toEqual([
      Date.parse('2020-05-01T00:00:00Z'),
      Date.parse('2020-06-01T00:00:00Z'),
    ]);
  });
});
