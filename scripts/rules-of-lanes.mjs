/** Rules of lanes: what a grantee writes back, what the node takes of it, and what the owner makes of it. */

import { rulesIn } from './rules-lines.mjs';

const LANE = 'packages/client/src/sharing/lane';
const NODE = 'packages/node/src/storage/sqlite';
const JUDGED = [`${LANE}/judge.test.ts`];
const HOSTILE = ['packages/testkit/src/proof/hostile-lanes.test.ts'];
const PLAYED = ['packages/testkit/src/sharing/lane.test.ts'];
const UNDONE = ['packages/testkit/src/sharing/lane-undo.test.ts'];
const STREAMS = ['packages/node/src/live/grant-streams.test.ts'];
const PROPOSALS = ['packages/testkit/src/sharing/lane-proposals.test.ts'];
const FORKED = ['packages/testkit/src/proof/forked-lane.test.ts'];
const STORED = [`${NODE}/sqlite-storage.test.ts`];

/** @type {readonly import('./rules-table.mjs').Rule[]} */
export const LANE_RULES = [
  ...rulesIn(
    'packages/client/src/sharing/feed/agent.ts',
    ['packages/testkit/src/sharing/lane-verdicts.test.ts'],
    [
      {
        rule: 'lane of a lost device',
        says: 'what was accepted is made by whoever has it, whenever it comes',
        find: '        actSoon(work);\n',
        replace: '',
        named: 'is gone',
      },
    ],
  ),
  ...rulesIn(
    `${LANE}/lane-desk.ts`,
    ['packages/testkit/src/sharing/lane-pace.test.ts'],
    [
      {
        rule: 'lane pace',
        says: 'what a grantee writes without a pause is decided on together',
        find: 'of decided.justNow ? [] : replica',
        replace: 'of replica',
      },
    ],
  ),
  ...rulesIn(
    'packages/core/src/grant/lane-entry.ts',
    ['packages/testkit/src/proof/hostile-grantees.test.ts'],
    [
      {
        rule: 'lane tags',
        says: 'the tags of one grantee’s lane say nothing of another’s',
        find: 'toTag(hmacSha256(key, utf8ToBytes(`lane/',
        replace: 'toTag(hmacSha256(key.slice(32), utf8ToBytes(`lane/',
        named: '[LEAK-5]',
      },
    ],
  ),
  ...rulesIn('packages/core/src/grant/field-term.ts', JUDGED, [
    {
      rule: 'lane parts of fields',
      says: 'a grantee does not set a field of which it sees a part, or which is changed for it',
      find: 'if (touching.some((term) => transformOf(term) !== undefined)) return false;',
      replace: '',
    },
  ]),
  ...rulesIn('packages/core/src/grant/write-terms.ts', JUDGED, [
    {
      rule: 'lane base fields',
      says: 'a grantee sets neither id, schema nor times of a record',
      find: 'isFieldName(name) && (write.fields',
      replace: '(isFieldName(name) || name) && (write.fields',
    },
  ]),
  ...rulesIn(`${LANE}/judge.ts`, JUDGED, [
    {
      rule: 'lane ids',
      says: 'a grantee makes records under ids of its own form alone',
      find: "(write.operation !== 'insert' || !isLaneRecordId(write.id))",
      replace: "write.operation !== 'insert'",
      tests: HOSTILE,
      named: '[LANE-4]',
    },
    {
      rule: 'lane size',
      says: 'a write leaves no record that is too large to be kept',
      find: 'return encodeBody(state, stamp).length <= MAX_WRITTEN_BYTES ? state : undefined;',
      replace: 'return encodeBody(state, stamp).length >= 0 * MAX_WRITTEN_BYTES ? state : undefined;',
    },
    {
      rule: 'lane of who only writes',
      says: 'a grantee with write access alone changes no record but its own',
      find: 'if (!rule.reads && laneIdOf(rule.grantId, state.id) === undefined) return false;',
      replace: '',
    },
  ]),
  ...rulesIn(`${LANE}/lane-desk.ts`, HOSTILE, [
    {
      rule: 'lane replay',
      says: 'a write that was made is done with',
      find: "return status === 'applied' || status === 'undone';",
      replace: "return status === 'undone';",
      tests: PLAYED,
      named: '[LANE-4]',
    },
    {
      rule: 'lane origins',
      says: 'what a grantee wrote names the receipt that was in force then',
      find: '        term: deps.term,\n',
      replace: '',
      tests: ['packages/testkit/src/sharing/lane-origins.test.ts'],
    },
    {
      rule: 'lane undo is told',
      says: 'what was taken back before it was told is accepted, and does not wait for ever',
      find: 'known && (isYes || isUndone || fallen',
      replace: 'known && (isYes || fallen',
      tests: UNDONE,
      named: 'not made yet',
    },
    {
      rule: 'lane verdict is of an entry',
      says: 'another entry under the number of an accepted one is never made',
      find: 'if (!held?.write || !isNamed(stated, held)) continue;',
      replace: 'if (!held?.write) continue;',
      tests: FORKED,
    },
    {
      rule: 'lane yes is to an entry',
      says: 'what the owner said yes to is judged, and no other entry under its number',
      find: 'if (!known || !held || !isNamed(stated, held)) {',
      replace: 'if (!known || !held) {',
      tests: FORKED,
    },
    {
      rule: 'lane list is of entries',
      says: 'the owner is shown what waits, and no other entry under its number',
      find: 'if (!held?.write || !isNamed(stated, held)) return [];',
      replace: 'if (!held?.write) return [];',
      tests: FORKED,
    },
    {
      rule: 'lane is left by what waits',
      says: 'what waits holds up nothing that comes after it',
      find: 'const open = [...waiting.filter((n) => !isKept(n)), ...unapplied];',
      replace: 'const open = [...waiting.filter((n) => !isKept(n) || n), ...unapplied];',
      tests: PLAYED,
      named: '[LANE-18]',
    },
    {
      rule: 'lane keeps what is not stored',
      says: 'what waits leaves the lane when the node has what the owner keeps of it, and not before',
      find: 'if (kept.has(n) || !isStored || !writes',
      replace: 'if (kept.has(n) || !writes',
      tests: PLAYED,
      named: '[LANE-18]',
    },
    {
      rule: 'lane proposals whole',
      says: 'of what waits all is kept that it takes to make it',
      find: 'const lane = { id: write.id, ...(write.base ? { base: write.base } : {}), hash: bytesToHex(held.hash()) };',
      replace: 'const lane = { id: write.id, hash: bytesToHex(held.hash()) };',
      tests: PLAYED,
      named: '[LANE-18]',
    },
    {
      rule: 'lane proposals on their way',
      says: 'a device that has not got what waits decides nothing about it',
      find: 'if (!known || !held || !isNamed(stated, held)) {',
      replace:
        "if (!held) {\n        reject(n, 'DECLINED');\n        continue;\n      }\n      if (!known || !held || !isNamed(stated, held)) {",
      tests: PLAYED,
      named: '[LANE-18]',
    },
    {
      rule: 'lane proposals',
      says: 'so many writes of one grant wait for the owner and no more',
      find: 'waiting.length >= MAX_WAITING_WRITES',
      replace: 'waiting.length >= 1e6 * MAX_WAITING_WRITES',
      tests: PLAYED,
      named: '[LANE-19]',
    },
    {
      rule: 'lane policy',
      says: 'a grant that proposes has its writes wait for the owner',
      find: "rule.write.policy === 'propose') {",
      replace: "rule.write.policy === ('none' as string)) {",
      tests: PLAYED,
      named: '[LANE-7]',
    },
    {
      rule: 'lane rejections',
      says: 'what is refused is told: no more is decided than can be',
      find: 'if (isFull()) break;',
      replace: '',
      tests: HOSTILE,
      named: '[LANE-12]',
    },
    {
      rule: 'lane rejections of what waits',
      says: 'what waits is answered also while what was refused before fills the list',
      find: 'const known = writes.get(rule.grantId, n);\n      if (known?.status ===',
      replace: 'const known = isFull() ? undefined : writes.get(rule.grantId, n);\n      if (known?.status ===',
      tests: HOSTILE,
      named: '[LANE-12]',
    },
    {
      rule: 'lane proposals on proposals',
      says: 'what a grantee changes of its own proposal waits with it',
      find: "if (typeof verdict === 'string' ? wait.carries(held) : rule.write.policy === 'propose') {",
      replace: "if (typeof verdict !== 'string' && rule.write.policy === 'propose') {",
      tests: PROPOSALS,
      named: '[LANE-7]',
    },
    {
      rule: 'lane yes before its ground',
      says: 'a yes to what stands on a proposal counts once that is made',
      find: "if (typeof verdict === 'string' ? wait.carries(held) : !isYes) wait.add(n);",
      replace: "if (typeof verdict !== 'string' && !isYes) wait.add(n);",
      tests: PROPOSALS,
      named: '[LANE-7] that has its yes first',
    },
    {
      rule: 'lane refused with its ground',
      says: 'what stands on a proposal is refused with it',
      find: "reject(n, 'DECLINED');\n        fallen.add(known.recordId);",
      replace: "reject(n, 'DECLINED');",
      tests: PROPOSALS,
      named: '[LANE-7] is refused with the proposal',
    },
    {
      rule: 'lane stays without its neighbour',
      says: 'a write that keeps the terms by itself is not refused with another of the same record',
      find: "if (typeof verdict === 'string' ? wait.carries(held) : !isYes) wait.add(n);",
      replace: "if (typeof verdict === 'string' && wait.carries(held)) wait.add(n);",
      tests: PROPOSALS,
      named: '[LANE-7] of a record that is there',
    },
    {
      rule: 'lane draft',
      says: 'each write is judged on top of those before it',
      find: 'drafts.has(recordId) ? drafts.get(recordId) : collection.stateById(recordId);',
      replace: 'collection.stateById(recordId);',
      tests: HOSTILE,
      named: '[LANE-5]',
    },
    {
      rule: 'lane oscillation',
      says: 'a field that goes to and fro pauses the grant',
      find: 'if (times.length > MAX_ALTERNATIONS) {',
      replace: 'if (times.length > 1e6 * MAX_ALTERNATIONS) {',
      tests: PLAYED,
      named: '[LANE-15]',
    },
  ]),
  ...rulesIn(
    `${LANE}/write-log.ts`,
    ['packages/testkit/src/sharing/lane-verdicts.test.ts'],
    [
      {
        rule: 'lane standing',
        says: 'what is said of a write only goes on, whichever device says it later',
        find: "merges: new Map([['standing', 'max']]),",
        replace: 'merges: new Map(),',
        named: '[LANE-5]',
      },
    ],
  ),
  ...rulesIn(`${LANE}/lane-writer.ts`, PLAYED, [
    {
      rule: 'lane numbers',
      says: 'what the node has not taken from here is another device’s write, and so is its verdict',
      find: 'if (n > sent) continue;',
      replace: 'void sent;',
      named: '[LANE-17]',
    },
  ]),
  ...rulesIn(`${LANE}/overlay.ts`, PLAYED, [
    {
      rule: 'lane echo',
      says: 'what a grantee wrote itself never comes back as somebody else’s change',
      find: 'jsonEquals(withoutTimes(a), withoutTimes(b))',
      replace: 'jsonEquals(withoutTimes(a), withoutTimes(b)) && !a',
      named: '[LANE-14]',
    },
  ]),
  ...rulesIn(
    'packages/client/src/sharing/read-versions.ts',
    ['packages/client/src/sharing/read-versions.test.ts'],
    [
      {
        rule: 'lane older versions',
        says: 'a grantee that saves what it read earlier undoes nothing that others have written since',
        find: 'const seen = read ?? shown ?? {};',
        replace: 'const seen = shown ?? read ?? {};',
        tests: ['packages/testkit/src/sharing/stale-save.test.ts'],
        named: '[LANE-22]',
      },
      {
        rule: 'lane change on both sides',
        says: 'a field that somebody else has changed since it was read is not written over',
        find: '!isSame(now, read[name]) && !isOwn)',
        replace: '!isSame(now, read[name]) && !isOwn && !name)',
        named: '[LANE-22]',
      },
      {
        rule: 'lane versions not known',
        says: 'a document whose version is not known any more is not taken for the whole record',
        find: "if (typeof _rev === 'string' && shown && !read)",
        replace: "if (typeof _rev === 'string' && shown && !read && !_rev)",
        named: '[LANE-22]',
      },
      {
        rule: 'lane change back',
        says: 'back to what was read is a change of what was written since',
        find: 'if (isSame(seen[name], value) && !own?.has(name)) continue;',
        replace: 'if (isSame(seen[name], value)) continue;',
        named: '[LANE-22]',
      },
      {
        rule: 'lane said again',
        says: 'what was refused may be said again through the same document',
        find: 'const left = said.filter((one) => one.n !== n);',
        replace: 'const left = said.filter((one) => one.n !== -1);',
        named: '[LANE-22]',
      },
      {
        rule: 'lane versions of a record',
        says: 'a version of one record is none of another',
        find: 'return read?._id === id ? read : undefined;',
        replace: 'return read && id !== null ? read : undefined;',
        named: '[LANE-22]',
      },
    ],
  ),
  ...rulesIn('packages/client/src/sharing/grant-life.ts', PLAYED, [
    {
      rule: 'lane of an ended grant',
      says: 'what an ended grant proposed takes no effect any more',
      find: "if (!isOpen(grantId)) throw new SluiceError('REVOKED', 'The grant has ended, and what it wrote can take no effect');",
      replace: 'void isOpen;',
      named: '[LANE-7]',
    },
    {
      rule: 'lane answered once',
      says: 'a proposal is answered once',
      find: "if (write.status !== 'waiting') throw new SluiceError('ALREADY_ANSWERED');",
      replace: '',
      named: '[LANE-7]',
    },
  ]),
  ...rulesIn(`${NODE}/lanes.ts`, STREAMS, [
    {
      rule: 'lane quota of a day',
      says: 'the node takes no more writes on one day than the row says',
      find: "if (used + count > limit) throw new Refused('LANE_FULL');",
      replace: '',
    },
    {
      rule: 'lane room',
      says: 'the node holds so many writes of one lane and no more',
      find: "if (waiting + count > MAX_LANE_ENTRIES) throw new Refused('LANE_FULL');",
      replace: '',
    },
    {
      rule: 'quota of one lane',
      says: 'what one lane takes is not counted against another',
      find: "db.sql('SELECT day, entries FROM lane_day WHERE log = ?').get(log);",
      replace: "db.sql('SELECT day, max(entries) AS entries FROM lane_day WHERE log >= 0 * ?').get(log);",
      tests: STREAMS,
      named: '[LANE-2]',
    },
    {
      rule: 'revoke empties',
      says: 'a revoke empties the feed at the node',
      find: 'for (const { target } of row.access) emptyFeed(db, spaceId, target as StreamId);',
      replace: 'for (const { target } of row.access) void [emptyFeed, spaceId, target as StreamId];',
    },
  ]),
  ...rulesIn(`${NODE}/sqlite-storage.ts`, STREAMS, [
    {
      rule: 'trim',
      says: 'a lane is trimmed by the owner alone',
      find: "if (!isOwners(state, job.requester, job.nowMs)) throw new Refused('FORBIDDEN');",
      replace: 'void isOwners;',
    },
    {
      rule: 'who writes',
      says: 'a stream is written by the keys whose rows open it',
      find: "if (verdict !== 'allowed') throw new Refused(REFUSALS[verdict]);",
      replace: 'void verdict;',
    },
  ]),
  ...rulesIn(`${NODE}/append.ts`, STORED, [
    {
      rule: 'gap',
      says: 'the node takes the next number of a writer and no later one',
      find: "if (part.seal.firstN !== writer.n + 1) throw new Refused('GAP');",
      replace: '',
    },
    {
      rule: 'fork',
      says: 'a seal names the one before it',
      find: "if (!equalBytes(part.seal.previous, writer.hash)) throw new Refused('FORK');",
      replace: '',
    },
    {
      rule: 'fork of a lane',
      says: 'of two devices that share a lane one is told that its numbers are taken',
      find: "if (part.kind === 'lane' && !(old && sameRange)) throw new Refused('FORK');",
      replace: '',
      tests: STREAMS,
      named: '[LANE-17]',
    },
    {
      rule: 'one head',
      says: 'a writer has one head of a record',
      find: "    if (!superseded.some((ref) => ref.n === Number(row.n) && equalBytes(ref.writer, id)))\n      throw new Refused('MALFORMED');",
      replace: '    void [superseded, id, row];',
    },
    {
      rule: 'closed feed',
      says: 'a feed that has ended takes nothing more',
      find: "if (log.closed) throw new Refused('CLOSED');",
      replace: '',
    },
    {
      rule: 'clock of feeds',
      says: 'the node refuses entries of a feed that are stamped in the future',
      find: "throw new Refused('CLOCK_SKEW');\n    drop.run(stream, header.tag);",
      replace: 'void 0;\n    drop.run(stream, header.tag);',
    },
    {
      rule: 'clock of rows',
      says: 'the node refuses control entries that are stamped in the future',
      find: "if (ctl.header.hlc.ms > nowMs + MAX_CLOCK_AHEAD_MS) throw new Refused('CLOCK_SKEW');",
      replace: '',
    },
  ]),
];
