/** Rules of what becomes of a grantee's writes: how the owner keeps them, and takes them back. */

import { rulesIn } from './rules-lines.mjs';

const LANE = 'packages/client/src/sharing/lane';
const UNDONE = ['packages/testkit/src/sharing/lane-undo.test.ts'];
const PLAYED = ['packages/testkit/src/sharing/lane.test.ts'];

/** @type {readonly import('./rules-table.mjs').Rule[]} */
export const UNDO_RULES = [
  ...rulesIn(`${LANE}/made-write.ts`, UNDONE, [
    {
      rule: 'lane in stamps',
      says: 'grants of one request, which have one key, are not taken for each other',
      find: '=> bytesToHex(lane);',
      replace: "=> (void lane, bytesToHex, 'ab'.repeat(16));",
      named: 'at one instant',
    },
  ]),
  ...rulesIn(
    `${LANE}/lane-replica.ts`,
    ['packages/testkit/src/sharing/lane-pace.test.ts'],
    [
      {
        rule: 'trim again',
        says: 'a trim that the node did not take is sent again',
        find: '      sentTrim = 0;\n',
        replace: '',
        named: 'trimmed again',
      },
    ],
  ),
  ...rulesIn(
    `${LANE}/write-log.ts`,
    ['packages/testkit/src/sharing/lane-large.test.ts'],
    [
      {
        rule: 'large writes',
        says: 'a write that is too large for one record of the log is kept in several',
        find: '  return toLogItems(id, head, isSpent ? { set: {}, remove: [] } : (content as JsonObject));',
        replace: '  return [{ id, document: { ...head, ...(isSpent ? {} : (content as JsonObject)) } }];',
      },
    ],
  ),
  ...rulesIn(`${LANE}/take-back.ts`, UNDONE, [
    {
      rule: 'lane undo of sets',
      says: 'of a set the grantee’s elements go, and those that it took away come back',
      find: '{ set: leftOfSet, counter',
      replace: '{ set: undefined && leftOfSet, counter',
      named: 'sets and counters',
    },
    {
      rule: 'lane undo of counters',
      says: 'of a counter goes what the grantee has counted, once',
      find: 'shown - countBy(state, name, writer) + (first.counts?.[name] ?? 0)',
      replace: 'shown - countBy(state, name, writer)',
      named: 'sets and counters',
    },
    {
      rule: 'lane undo',
      says: 'taking back what one grantee wrote takes nothing that others have written since',
      find: 'if (!isDeleted(state) && path(undone, name, stampOfField(state, name)).stamp?.writer !== writer) continue;',
      replace: 'void stampOfField;',
      tests: PLAYED,
      named: '[LANE-9]',
    },
    {
      rule: 'lane undo in between',
      says: 'taking back what one grantee wrote brings back what others had written last, and nothing older',
      find: 'const source = writes.findLast(',
      replace: 'const source = writes.find(',
    },
    {
      rule: 'lane undo over its own',
      says: 'taking back all that one grantee wrote leaves none of it',
      find: ' && overOf(w, name)?.writer !== writer);',
      replace: ');',
    },
    {
      rule: 'lane undo of two grants',
      says: 'what was taken back of one grant does not come back when another is undone',
      find: '(last ?? source)?.before',
      replace: 'source?.before',
      named: 'another grant of the same request',
    },
    {
      rule: 'lane undo of what an undo has put there',
      says: 'what one undo gave back of another grant goes with the undo of that',
      find: 'left.findLast((one) => one.write.undone',
      replace: 'left.findLast((one) => false && one.write.undone',
      named: 'another grant of the same request',
    },
    {
      rule: 'lane undo of its own record',
      says: 'a record that a grantee made and deleted does not come back when that is taken back',
      find: 'return isDeleted(state) && Object.keys(document).length === 0 ? undefined : document;',
      replace: 'return document;',
    },
    {
      rule: 'lane undo of what waits to be made',
      says: 'taking back what one grantee wrote takes back what was accepted and is not made yet',
      find: "write.status === 'accepted' ?",
      replace: "write.status === ('none' as string) ?",
    },
    {
      rule: 'lane undo on two devices',
      says: 'what is taken back has no effect, though another device makes it at the same time',
      find: 'collection.join([{ change',
      replace: 'void ([{ change',
      named: 'another device',
    },
  ]),
];
