import { parseFilter } from '@sluice/core/filter';
import { bornRecordId, type FieldTerm, type LaneWrite, type WriteTerms } from '@sluice/core/grant';
import { applyDelete, createState, type RecordState, toDocument } from '@sluice/core/record';
import { describe, expect, it } from 'vitest';
import { judge, type JudgeRule } from './judge.ts';

const NOW = Date.UTC(2026, 10, 28);
const GRANT = 'ab'.repeat(16);
const MINE = `w${'A'.repeat(22)}`;
const owner = { ms: NOW - 1000, counter: 0, writer: '11'.repeat(16) };
const stamp = { ms: NOW, counter: 0, writer: '22'.repeat(16) };
const ALL: WriteTerms = { operations: ['insert', 'update', 'delete'], policy: 'auto', perDay: 10 };

function ruleOf(
  more: { filter?: object; fields?: readonly FieldTerm[]; write?: Partial<WriteTerms>; reads?: boolean } = {},
): JudgeRule {
  const filter = parseFilter((more.filter ?? { kind: 'post' }) as never);
  if (!filter.ok) throw new Error('the filter is not valid');
  return {
    grantId: GRANT,
    schema: 'https://example.com/s.json',
    filter: filter.value,
    fields: more.fields,
    reads: more.reads ?? true,
    write: { ...ALL, ...more.write },
    merges: new Map(),
    isValid: (document) => typeof document.text === 'string',
  };
}
const record = (more: object = {}): RecordState =>
  createState({ kind: 'post', text: 'old', other: 1, ...more }, owner, { id: 'r1' });
const write = (more: Partial<LaneWrite> = {}): LaneWrite => ({
  id: 'x'.repeat(22),
  operation: 'update',
  set: { text: 'new' },
  remove: [],
  seen: 0,
  ...more,
});
/** The code of a refusal, or what the record says after. */
function outcome(rule: JudgeRule, w: LaneWrite, previous: RecordState | undefined = record(), at = stamp): unknown {
  const made = judge(rule, w, at, previous?.id, previous, NOW);
  if (typeof made === 'string') return made;
  const { _id, kind, text, other } = toDocument(made.state);
  return { _id, kind, text, other };
}

describe('the judge of a lane', () => {
  it('[LANE-6] lets through what keeps the terms, under the stamp it came with', () => {
    expect(outcome(ruleOf(), write())).toEqual({ _id: 'r1', kind: 'post', text: 'new', other: 1 });
    const fresh = write({ id: MINE, operation: 'insert', set: { kind: 'post', text: 'hi' } });
    const made = judge(ruleOf(), fresh, stamp, undefined, undefined, NOW);
    expect(made).toMatchObject({ operation: 'insert', state: { id: bornRecordId(GRANT, MINE), stamps: [stamp] } });
    expect(judge(ruleOf(), write({ operation: 'delete', set: {} }), stamp, 'r1', record(), NOW)).toMatchObject({
      operation: 'delete',
      change: { deleted: true },
    });
  });

  it('[LANE-6] loses to what the owner wrote later', () => {
    const later = createState({ kind: 'post', text: 'owner' }, { ...owner, ms: NOW + 5 }, { id: 'r1' });
    expect(outcome(ruleOf(), write(), later)).toMatchObject({ text: 'owner' });
  });

  it('[LANE-6] refuses an operation that was not given', () => {
    const only = (...operations: WriteTerms['operations']) => ruleOf({ write: { operations } });
    expect(outcome(only('insert'), write())).toBe('OPERATION_NOT_ALLOWED');
    expect(outcome(only('update'), write({ operation: 'delete', set: {} }))).toBe('OPERATION_NOT_ALLOWED');
    const fresh = write({ id: MINE, operation: 'insert', set: { kind: 'post', text: 'hi' } });
    expect(judge(only('update', 'delete'), fresh, stamp, undefined, undefined, NOW)).toBe('OPERATION_NOT_ALLOWED');
    // An insert on top of what is there is an update, whatever it calls itself.
    expect(outcome(only('insert'), write({ operation: 'insert' }))).toBe('OPERATION_NOT_ALLOWED');
  });

  it('[LANE-6] refuses fields that were not given, base fields, and those of which only a part is seen', () => {
    const set = (name: string) => write({ set: { [name]: 'x' } });
    expect(outcome(ruleOf({ write: { fields: ['text'] } }), set('other'))).toBe('FIELD_NOT_ALLOWED');
    expect(outcome(ruleOf({ write: { fields: ['text'] } }), write({ set: {}, remove: ['other'] }))).toBe(
      'FIELD_NOT_ALLOWED',
    );
    for (const name of ['_id', '_rev', 'schema', 'insertedAt', 'modifiedAt'])
      expect(outcome(ruleOf(), set(name))).toBe('FIELD_NOT_ALLOWED');
    expect(outcome(ruleOf({ fields: ['text'] }), set('other'))).toBe('FIELD_NOT_ALLOWED');
    expect(outcome(ruleOf({ fields: ['kind', 'text.part'] }), set('text'))).toBe('FIELD_NOT_ALLOWED');
    expect(outcome(ruleOf({ fields: [{ path: 'text', transform: 'pseudonym' }] }), set('text'))).toBe(
      'FIELD_NOT_ALLOWED',
    );
    expect(outcome(ruleOf({ fields: [{ path: 'other', transform: 'drop' }] }), set('other'))).toBe('FIELD_NOT_ALLOWED');
    expect(outcome(ruleOf({ fields: [{ path: 'other', transform: 'drop' }] }), set('text'))).toMatchObject({
      text: 'x',
    });
    expect(outcome(ruleOf({ fields: ['text', 'kind'] }), set('text'))).toMatchObject({ text: 'x' });
  });

  it('[LANE-6] refuses a record that the grantee cannot see, in the same words as one that is not there', () => {
    expect(outcome(ruleOf({ filter: { kind: 'note' } }), write())).toBe('NOT_FOUND');
    expect(judge(ruleOf(), write(), stamp, undefined, undefined, NOW)).toBe('NOT_FOUND');
    expect(outcome(ruleOf(), write(), applyDelete(record(), { ...owner, ms: NOW - 500 }))).toBe('NOT_FOUND');
    expect(outcome(ruleOf({ reads: false }), write())).toBe('NOT_FOUND');
    const born = createState({ kind: 'post', text: 'mine' }, stamp, { id: bornRecordId(GRANT, MINE) });
    expect(outcome(ruleOf({ reads: false }), write({ id: MINE }), born)).toMatchObject({ text: 'new' });
    // A new record has an id of the grantee's own form, or it could stand for another.
    expect(judge(ruleOf(), write({ operation: 'insert' }), stamp, undefined, undefined, NOW)).toBe('NOT_FOUND');
  });

  it('[LANE-6] refuses what is no record of the schema, and what would leave the filter', () => {
    expect(outcome(ruleOf(), write({ set: {}, remove: ['text'] }))).toBe('BAD_RECORD');
    expect(outcome(ruleOf(), write({ set: { kind: 'note' } }))).toBe('OUTSIDE_FILTER');
    const fresh = write({ id: MINE, operation: 'insert', set: { text: 'no kind' } });
    expect(judge(ruleOf(), fresh, stamp, undefined, undefined, NOW)).toBe('OUTSIDE_FILTER');
  });

  it('[LANE-6] refuses what would make a record too large to be kept', () => {
    const large = 'x'.repeat(450_000);
    expect(outcome(ruleOf(), write({ set: { other: large } }))).toMatchObject({ other: large });
    expect(outcome(ruleOf(), write({ set: { other: large } }), record({ text: large }))).toBe('BAD_RECORD');
  });

  it('[LANE-6] refuses a stamp more than two minutes ahead of the owner', () => {
    expect(outcome(ruleOf(), write(), record(), { ...stamp, ms: NOW + 120_000 })).toMatchObject({ text: 'new' });
    expect(outcome(ruleOf(), write(), record(), { ...stamp, ms: NOW + 120_001 })).toBe('BAD_CLOCK');
  });
});
