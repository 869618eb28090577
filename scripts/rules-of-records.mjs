/** Rules of records: the joins of all kinds of fields, and clocks. */

import { rulesIn } from './rules-lines.mjs';

const RECORD = 'packages/core/src/record';
const PROPERTIES = [`${RECORD}/record.prop.test.ts`, `${RECORD}/state.test.ts`];
const APPLIED = [`${RECORD}/apply-fields.test.ts`];
const WRITES = [`${RECORD}/writes.test.ts`, `${RECORD}/record.prop.test.ts`];

/** @type {readonly import('./rules-table.mjs').Rule[]} */
export const RECORD_RULES = [
  ...rulesIn(`${RECORD}/merge.ts`, PROPERTIES, [
    {
      rule: 'lww',
      says: 'of two values of a field the one with the larger stamp stays',
      find: 'if (order < 0) drafts.set(name, theirs);',
      replace: 'if (order > 0) drafts.set(name, theirs);',
    },
    {
      rule: 'ties',
      says: 'equal stamps are ordered by value, so that the join stays one',
      find: 'if (order !== 0 || isSameValue(a.value, b.value)) return order;',
      replace: 'return order;',
    },
    {
      rule: 'conflict journal',
      says: 'what a merge drops unseen is kept in the journal',
      find: 'if (!hasSeen(winner.stamps, draft.stamp)) losers.push',
      replace: 'if (hasSeen(winner.stamps, draft.stamp)) losers.push',
    },
    {
      rule: 'lost typed writes',
      says: 'what a typed merge drops unseen is kept in the journal',
      find: 'if (lost) losers.push({ field: name, ...lost });',
      replace: 'void lost;',
      tests: [`${RECORD}/vectors.test.ts`],
    },
  ]),
  ...rulesIn(`${RECORD}/element-set.ts`, PROPERTIES, [
    {
      rule: 'set',
      says: 'an element that one side has removed does not come back',
      find: '.filter((s) => hasStamp(theirs?.adds, s) || !hasSeen(b.seen, s))',
      replace: '',
    },
    {
      rule: 'set additions',
      says: 'an element that one side has not seen stays',
      find: '.filter((s) => !hasStamp(mine?.adds, s) && !hasSeen(a.seen, s))',
      replace: '.filter(() => false)',
    },
  ]),
  ...rulesIn(`${RECORD}/writes.ts`, WRITES, [
    {
      rule: 'addcounter',
      says: 'a writer’s contribution to a counter counts once',
      find: 'if (writers.has(write.stamp.writer)) continue;',
      replace: '',
    },
    {
      rule: 'max',
      says: 'an extreme keeps the value that outdoes the others',
      find: '!outdoes(rule, write.value, last.value)) continue;',
      replace: 'false) continue;',
    },
    {
      rule: 'min',
      says: 'a minimum takes the smaller value',
      find: "const sign = rule.startsWith('max') ? 1 : -1;",
      replace: 'const sign = 1;',
    },
    {
      rule: 'immutable',
      says: 'of two first values the earlier stays',
      find: "if (rule !== 'counter') return list[list.length - 1]?.value;",
      replace: "if (rule !== 'counter') return list[rule === 'immutable' ? 0 : list.length - 1]?.value;",
    },
    {
      rule: 'removal of typed fields',
      says: 'writes up to a removal or a delete do not count',
      find: 'const alive = list.filter((write) => isAfter(write.stamp, end));',
      replace: 'const alive = [...list];',
    },
  ]),
  ...rulesIn(`${RECORD}/apply-fields.ts`, APPLIED, [
    {
      rule: 'lww of a grantee',
      says: 'a change under its own stamp loses to a later one',
      find: 'return old !== undefined && compareDrafts(old, next) >= 0 ? old : next;',
      replace: 'void compareDrafts;\n  return next;',
    },
    {
      rule: 'set of a grantee',
      says: 'a change takes from a set what its writer saw, and nothing else',
      find: 'const isGone = !wanted.has(key) && known?.has(key) !== false;',
      replace: 'const isGone = !wanted.has(key);',
    },
    {
      rule: 'counter of a grantee',
      says: 'a counter takes the difference to what its writer saw',
      find: 'const from = [base, shown].find(isCount) ?? 0;',
      replace: 'const from = [shown].find(isCount) ?? 0;\n      void base;',
    },
    {
      rule: 'counter once',
      says: 'a change of a counter counts once, however often it is applied',
      find: 'if (writes.list.some((write) => isSeen(write.stamp, stamp))) return old;',
      replace: 'void isSeen;',
    },
    {
      rule: 'immutable of a grantee',
      says: 'a first value that is there stays',
      find: "(rule === 'immutable' || !outdoes(rule, value, shown))",
      replace: '!outdoes(rule, value, shown)',
    },
    {
      rule: 'immutable is not removed',
      says: 'a first value is not removed',
      find: "} else if (rule === 'immutable' && shown !== undefined) return old;",
      replace: '}',
    },
    {
      rule: 'delete of a grantee',
      says: 'a change from before a delete has no effect',
      find: 'if (previous !== undefined && ended !== undefined && compareStamps(stamp, ended) <= 0) return previous;',
      replace: '',
    },
  ]),
  ...rulesIn(
    `${RECORD}/hlc.ts`,
    [`${RECORD}/hlc.test.ts`],
    [
      {
        rule: 'clock drift',
        says: 'an instant of another far ahead moves no clock',
        find: 'remote.ms <= nowMs() + MAX_DRIFT_MS && ',
        replace: '',
      },
      {
        rule: 'whole milliseconds',
        says: 'the clock goes by whole milliseconds',
        find: 'Math.trunc(clock.nowMs()) + correctionMs;',
        replace: 'clock.nowMs() + correctionMs;',
      },
      {
        rule: 'whole milliseconds of others',
        says: 'an instant observed is whole milliseconds',
        find: 'const remote = { ms: Math.trunc(ms), counter };',
        replace: 'const remote = { ms, counter };',
      },
      {
        rule: 'whole milliseconds of a node',
        says: 'a clock that is set by a node goes by whole milliseconds',
        find: 'const trueMs = Math.trunc(toldMs);',
        replace: 'const trueMs = toldMs;',
      },
    ],
  ),
];
