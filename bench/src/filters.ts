/** What it takes to run the filters of many grants over one record that was written. */

import { fieldFormats, matches, parseFilter } from '@sluice/core/filter';
import type { JsonObject } from '@sluice/core/base';
import { benchRecord } from './records.ts';

const FILTERS = 1_000;
const RECORDS = 500;

/** Filter number `i`: of the kinds that people give, each with values of its own. */
function filterOf(i: number): JsonObject {
  const day = String((i % 28) + 1).padStart(2, '0');
  switch (i % 5) {
    case 0:
      return { type: 'bloodPressure', date: { $gte: `2026-06-${day}T00:00:00Z` } };
    case 1:
      return { type: { $in: ['heartRate', 'weight', `kind-${i}`] } };
    case 2:
      return { $or: [{ type: 'weight' }, { value: { $gt: i % 140, $lte: 200 } }] };
    case 3:
      return { date: { $within: 'P6M' }, type: { $ne: 'heartRate' } };
    default:
      return { type: 'heartRate', value: { $gte: 60 + (i % 80) }, version: { $exists: true } };
  }
}

/** Evaluates 1,000 different filters on each of 500 records; the median record, in ms. */
export function evaluationMs(): number {
  const formats = fieldFormats({ properties: { date: { type: 'string', format: 'date-time' } } });
  const filters = Array.from({ length: FILTERS }, (_, i) => {
    const parsed = parseFilter(filterOf(i), formats);
    if (!parsed.ok) throw new Error(`filter ${i} cannot be read: ${parsed.error.type}`);
    return parsed.value;
  });
  const nowMs = Date.now();
  let found = 0;
  const times = Array.from({ length: RECORDS }, (_, i) => {
    const record = benchRecord(i);
    const start = performance.now();
    for (const filter of filters) if (matches(filter, record, nowMs)) found++;
    return performance.now() - start;
  }).sort((a, b) => a - b);
  if (found === 0) throw new Error('no filter matched, so nothing was measured');
  return times[RECORDS / 2] as number;
}
