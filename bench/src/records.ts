/** The benchmark's records: 1 KB of JSON, a tenth of which matches the benchmark's filter. */

import type { JsonObject } from '@sluice/core/base';

/** A bundled schema, so that its ahead-compiled validator is part of what is measured. */
export const SCHEMA = 'health/measurement';
const RECORD_BYTES = 1024;
export const MATCHING = { type: 'bloodPressure', date: { $gte: '2026-06-01T00:00:00Z' } } as const;

const WORDS =
  'steady light morning reading after rest before walk calm evening note taken twice sitting left arm'.split(' ');

/** Record number `i`. Every tenth is a recent blood pressure. */
export function benchRecord(i: number): JsonObject {
  const matching = i % 10 === 0;
  const day = String((i % 28) + 1).padStart(2, '0');
  const record = {
    _id: `m${String(i).padStart(7, '0')}`,
    type: matching ? 'bloodPressure' : 'heartRate',
    date: matching ? `2026-09-${day}T08:00:00Z` : `2025-03-${day}T08:00:00Z`,
    value: 60 + (i % 80),
    version: 0,
    note: '',
  };
  let note = '';
  for (let w = i; JSON.stringify({ ...record, note }).length < RECORD_BYTES; w++) note += `${WORDS[w % WORDS.length]} `;
  return { ...record, note: note.slice(0, note.length - (JSON.stringify({ ...record, note }).length - RECORD_BYTES)) };
}
