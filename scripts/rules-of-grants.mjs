/** Rules of grants: offers, pause, end, keys, what a reader of a feed checks, and what the owner's activity log keeps. */

import { rulesIn } from './rules-lines.mjs';

const SHARING = 'packages/client/src/sharing';
const TESTS = 'packages/testkit/src/sharing';
const OFFERS = [`${TESTS}/offer.test.ts`];
const LIFE = [`${TESTS}/grant-life.test.ts`];
const TAMPERED = [`${TESTS}/feed-tamper.test.ts`];
const SERVED = ['packages/testkit/src/proof/hostile-feed.test.ts'];
const COPY = `${SHARING}/feed/copy-life.ts`;
const WHO = [`${TESTS}/who-decides.test.ts`];
const FORGED = ['packages/testkit/src/proof/forged-answers.test.ts'];
const HANDED = [`${SHARING}/grant-vectors.test.ts`];

/** @type {readonly import('./rules-table.mjs').Rule[]} */
export const GRANT_RULES = [
  ...rulesIn(`${SHARING}/grant-runner.ts`, LIFE, [
    {
      rule: 'offer',
      says: 'nothing flows of a narrowed grant before it is accepted',
      find: "if (grant.narrowed && !facts.get(grantId, 'accepted')) return 'offered';",
      replace: '',
      tests: OFFERS,
      named: '[GRANT-24]',
    },
    {
      rule: 'given up',
      says: 'a grant that was given up ends at its owner by itself, whatever the node has heard',
      find: " || facts.get(grantId, 'dropped');\n    // An expired",
      replace: ';\n    // An expired',
      tests: WHO,
      named: '[GRANT-45]',
    },
    {
      rule: 'end of a grant',
      says: 'a grant with an end ends at it, with nobody deciding',
      find: "if (isOver) return 'expired';",
      replace: 'void isOver;',
      named: '[GRANT-40]',
    },
  ]),
  ...rulesIn(`${SHARING}/grant-life.ts`, OFFERS, [
    {
      rule: 'signed acceptance',
      says: 'an offer is accepted by the grantee’s signature alone',
      find: '      if (!opened.ok) continue;\n',
      replace:
        "      if (!opened.ok) {\n        for (const g of named) facts.note(g.grantId, 'accepted', { at: 1 });\n        continue;\n      }\n",
      named: '[GRANT-24]',
    },
    {
      rule: 'whose answer',
      says: 'nobody but its grantee accepts, drops or attests anything of a grant',
      find: "typeof id === 'string' && keychain.get('grant', id)?.grantee === item.from",
      replace: "typeof id === 'string' && keychain.get('grant', id) !== undefined",
      tests: WHO,
      named: '[GRANT-45]',
    },
    {
      rule: 'attestation after the end',
      says: 'an attestation from before the end says nothing of it',
      find: "if (facts.get(id, 'attested') || grants.get(id).isOpen) continue;",
      replace: "if (facts.get(id, 'attested')) continue;",
      tests: WHO,
      named: '[GRANT-43]',
    },
  ]),
  ...rulesIn(`${SHARING}/grant-facts.ts`, LIFE, [
    {
      rule: 'facts once',
      says: 'a fact of a grant is written once',
      find: 'if (byGrant.get(grantId)?.has(name)) return;',
      replace: '',
      tests: [`${SHARING}/grant-facts.test.ts`],
    },
  ]),
  ...rulesIn(`${SHARING}/given-grants.ts`, LIFE, [
    {
      rule: 'revoke at once',
      says: 'nothing is sealed from the very moment of a revoke on',
      find: '      agent.remove(grantId);\n',
      replace: '',
      tests: WHO,
      named: '[GRANT-15]',
    },
    {
      rule: 'end in the row',
      says: 'the node is told the end of a grant',
      find: 'expiresMs: endsAtMs(terms) ?? 0,',
      replace: 'expiresMs: 0 * (endsAtMs(terms) ?? 0),',
      tests: WHO,
      named: '[GRANT-40]',
    },
    {
      rule: 'quota in the row',
      says: 'the node is told how many writes a day a grant takes',
      find: 'perDay: terms.write?.perDay ?? 0,',
      replace: 'perDay: 0,',
      tests: ['packages/testkit/src/proof/hostile-lanes.test.ts'],
      named: '[LANE-2]',
    },
    {
      rule: 'pause here first',
      says: 'nothing is sealed while the row of a pause is on its way',
      find: 'if (paused) agent.setPaused(grantId, true);',
      replace: '',
      tests: WHO,
      named: '[GRANT-41]',
    },
    {
      rule: 'purge',
      says: 'thirty days after its end nothing is left of a grant',
      find: 'if (purgeMs !== undefined && purgeMs <= nowMs) purge(grant).catch(unlessFull);',
      replace: 'if (purgeMs !== undefined && purgeMs <= nowMs) void [purge, grant];',
      named: '[GRANT-46]',
    },
    {
      rule: 'key is kept first',
      says: 'a new key is kept before a feed names it, so that every device has it',
      find: 'facts.note(grantId, `key/',
      replace: 'void (grantId, `key/',
      named: '[FEED-26]',
    },
    {
      rule: 'dropped row',
      says: 'the row of a grant that was given up ends',
      find: "const isEnded = facts.get(grantId, 'revoked') || facts.get(grantId, 'dropped');",
      replace: "const isEnded = facts.get(grantId, 'revoked');",
      named: '[GRANT-45]',
    },
  ]),
  ...rulesIn(`${SHARING}/grant-handle.ts`, LIFE, [
    {
      rule: 'offer at the grantee',
      says: 'an offer is not read before it is accepted',
      find: "if (isOffered()) throw new SluiceError('NOT_ACCEPTED');",
      replace: '',
      tests: OFFERS,
      named: '[GRANT-24]',
    },
    {
      rule: 'who changes a key',
      says: 'a grantee takes a new key from the owner’s devices alone',
      find: 'if (!isOwnersDevice(change.value.signer, change.value.card, head.value.hlc.ms)) return false;',
      replace: '',
      tests: SERVED,
      named: '[FEED-26]',
    },
    {
      rule: 'key by key',
      says: 'a new key is of the next epoch',
      find: 'if (!change?.ok || change.value.epoch !== head.value.epoch + 1) return false;',
      replace: 'if (!change?.ok) return false;',
      tests: SERVED,
      named: '[FEED-26]',
    },
    {
      rule: 'retention',
      says: 'a copy is kept for as long as the terms let it, and no longer',
      find: 'keepMs: keep ? nowMs - subtractSpan(nowMs, keep) : 0,',
      replace: 'keepMs: keep ? 100 * (nowMs - subtractSpan(nowMs, keep)) : 0,',
      named: '[GRANT-42]',
    },
  ]),
  ...rulesIn(`${SHARING}/feed/feed-reader.ts`, TAMPERED, [
    {
      rule: 'count',
      says: 'a reader counts what it holds against the checkpoint',
      find: "if (digest.count() !== checkpoint.count) return 'count';",
      replace: '',
    },
    {
      rule: 'digest',
      says: 'a reader sums up what it holds against the checkpoint',
      find: "if (bytesToHex(digest.value()) !== bytesToHex(checkpoint.digest)) return 'digest';",
      replace: '',
    },
    {
      rule: 'who signs checkpoints',
      says: 'a checkpoint is signed by a device of the owner',
      find: "if (!card || !deps.isOwnersDevice(signer, card, asOfMs)) return 'foreign-signer';",
      replace: "if (!card) return 'foreign-signer';",
    },
    {
      rule: 'rollback of a feed',
      says: 'a feed whose head is behind what was read is an alarm',
      find: "if (page.head < cursor) return distrust('rollback');",
      replace: '',
    },
    {
      rule: 'print',
      says: 'a record is the one that its memo speaks of',
      find: "if (bytesToHex(print) !== bytesToHex(memo.value.print)) return 'cannot-open';",
      replace: '',
    },
    {
      rule: 'sweep',
      says: 'what the second reading of a feed does not meet is gone',
      find: 'if (reading && settled) rows.takeOver(second);',
      replace: 'void second;',
    },
    {
      rule: 'kept cards',
      says: 'a card counts for the later checkpoints of its device',
      find: 'if (checkpoint.card) state = {',
      replace: 'if (!checkpoint.card) state = {',
      named: '[FEED-19]',
    },
    {
      rule: 'said to have expired',
      says: 'a node that says of a record that it has expired is believed only when its time is over',
      find: "if (head.expiresMs === null || head.expiresMs > Math.max(clock.nowMs(), found.nodeMs)) return 'malformed';",
      replace: '',
      tests: ['packages/testkit/src/proof/hostile-feed.test.ts'],
    },
    {
      rule: 'wiped writes',
      says: 'what a grantee wrote goes with its copy',
      find: 'overlay?.wipe();',
      replace: '',
      tests: [`${TESTS}/lane.test.ts`],
      named: '[LANE-7]',
    },
  ]),
  ...rulesIn(
    `${SHARING}/feed/sent-log.ts`,
    [`${TESTS}/feed-window.test.ts`],
    [
      {
        rule: 'back in the window',
        says: 'what is put again after its window passed is held',
        find: '(const { tag, memo } of puts) {\n        forget(tag);',
        replace:
          '(const { tag, memo } of puts) {\n        if (gone.some((g) => g.join() === tag.join())) continue;\n        forget(tag);',
      },
      {
        rule: 'all that have left',
        says: 'a checkpoint counts nothing whose window has passed',
        find: '.all(feed, nowMs)',
        replace: '.all(feed, nowMs)\n        .slice(0, 400)',
      },
    ],
  ),
  {
    rule: 'instant of checkpoints',
    says: 'a checkpoint’s instant never goes back',
    changes: ['seen', 'state'].map((which) => ({
      file: `${SHARING}/feed/feed-reader.ts`,
      find: ` || asOfMs < ${which}.asOfMs) return 'basis';`,
      replace: ") return 'basis';",
    })),
    tests: TAMPERED,
  },
  {
    rule: 'end with nobody to say so',
    says: 'a grantee’s copy is over at the end of the terms, with nobody to say so',
    changes: [
      {
        file: COPY,
        find: 'isOver: () => nextEndMs() <= shownMs(),',
        replace: 'isOver: () => nextEndMs() < 0 * shownMs(),',
      },
      { file: COPY, find: 'if (nextEndMs() <= certainMs()) return deps.onOver();', replace: '' },
    ],
    tests: WHO,
    named: '[GRANT-40]',
  },
  ...rulesIn(COPY, LIFE, [
    {
      rule: 'wipe',
      says: 'a grantee’s copy is wiped when the grant has ended',
      find: 'if ((state().wipeAtMs ?? NEVER) <= certainMs()) deps.onDue();',
      replace: '',
      named: '[GRANT-42]',
    },
    {
      rule: 'past its retention',
      says: 'nothing is shown of a copy past its retention, also where no timer went off',
      find: 'isGone: () => (state().wipeAtMs ?? endMs() + deps.keepMs) <= shownMs(),',
      replace: 'isGone: () => (state().wipeAtMs ?? endMs() + deps.keepMs) < 0 * shownMs(),',
      named: '[GRANT-49]',
    },
  ]),
  ...rulesIn(`${SHARING}/feed/agent.ts`, LIFE, [
    {
      rule: 'paused at the agent',
      says: 'an agent appends nothing to a paused feed, whatever the node does',
      find: 'if (work.ended || work.paused || work.notBeforeMs > clock.monotonicMs()) continue;',
      replace: 'if (work.ended || work.notBeforeMs > clock.monotonicMs()) continue;',
    },
    {
      rule: 'release is noted first',
      says: 'what is revealed is noted, durably, before it is',
      find: 'if (releases.length > 0) deps.onRelease(releases);',
      replace: 'if (releases.length > 0) setTimeout(() => deps.onRelease(releases), 1_000);',
      tests: WHO,
      named: '[ACT-3]',
    },
    {
      rule: 'key of a lost agent',
      says: 'nothing more is sealed under a key that who was shut out knows',
      find: 'if (!work.nextKey && hasLostKey(work)) {',
      replace: 'if (!work.nextKey && hasLostKey(work) && !work) {',
      tests: ['packages/testkit/src/agent/agent-limits.test.ts'],
      named: '[AGT-8]',
    },
  ]),
  ...rulesIn(`${SHARING}/feed/feed-step.ts`, LIFE, [
    {
      rule: 'key before its first use',
      says: 'a new key is in the feed before it is used',
      find: '  if (nextKey)\n    entries.push(',
      replace: '  if (nextKey)\n    void (',
      named: '[FEED-26]',
    },
    {
      rule: 'feed of who only writes',
      says: 'nothing is revealed to who only writes',
      find: 'if (!reads) return { records: [], finished',
      replace: 'if (!reads && !work) return { records: [], finished',
      tests: [`${TESTS}/lane.test.ts`],
      named: '[LANE-16]',
    },
    {
      rule: 'blind order',
      says: 'the order in which records come says nothing of them',
      find: '.sort((a, b) => compareBytes(a.place, b.place))',
      replace: '.sort((a, b) => 0 * compareBytes(a.place, b.place))',
      tests: [`${TESTS}/feed.test.ts`, 'packages/testkit/src/proof/two-worlds.test.ts'],
    },
    {
      rule: 'frequency',
      says: 'a grant with a frequency gets one batch in so long',
      find: 'if (grant.every && progress.closed && progress.asOfMs > subtractSpan(asOfMs, grant.every)) return undefined;',
      replace: 'void subtractSpan;',
      named: '[FEED-27]',
    },
  ]),
  ...rulesIn(
    'packages/core/src/grant/projection.ts',
    ['packages/core/src/grant/projection.prop.test.ts'],
    [
      {
        rule: 'pseudonym of a grant',
        says: 'a pseudonym is of one grant alone',
        find: 'bytesToBase64url(hmacSha256(secret, utf8ToBytes(text)).subarray(0, 16));',
        replace: 'bytesToBase64url(hmacSha256(secret.slice(32), utf8ToBytes(text)).subarray(0, 16));',
      },
      {
        rule: 'pseudonym of a path',
        says: 'the same value has another pseudonym under another path',
        find: 'changeOf(transform, pathOf(term), secret)',
        replace: "changeOf(transform, '', secret)",
      },
      {
        rule: 'id of a grant',
        says: 'a record has another id in another grant',
        find: '=> pseudonym(secret, `id/',
        replace: '=> pseudonym(secret.slice(32) as never, `id/',
        tests: ['packages/testkit/src/proof/hostile-grantees.test.ts'],
        named: '[LEAK-5]',
      },
    ],
  ),
  ...rulesIn(`${SHARING}/sync-grant.ts`, HANDED, [
    {
      rule: 'receipt of the grants',
      says: 'a receipt speaks of the very grants that are handed over',
      find: "if (!jsonEquals(opened.value.grants, stated)) throw bad('the receipt is for other grants');",
      replace: 'void [jsonEquals, stated];',
    },
    {
      rule: 'as many as asked',
      says: 'an answer has one grant for each item that was asked',
      find: "if (grants.length !== deps.asked.length) throw bad('it holds not one grant for each item that was asked');",
      replace: '',
      tests: FORGED,
      named: '[GRANT-12]',
    },
    {
      rule: 'given for asked',
      says: 'a requester takes a grant for what it asked, or for less',
      find: 'if (wrong) throw bad(',
      replace: 'if (wrong && !given) throw bad(',
    },
    {
      rule: 'feed is a feed',
      says: 'a grant names a feed and no other stream',
      find: "if (feed[0] !== STREAM_KIND.feed) throw bad('a grant names no feed');",
      replace: '',
    },
  ]),
  ...rulesIn(`${SHARING}/requester.ts`, FORGED, [
    {
      rule: 'who answers',
      says: 'a request is answered by whom it was sent to',
      find: 'item.data.replyId === id && item.from === asked.to;',
      replace: 'item.data.replyId === id;',
      tests: WHO,
      named: '[GRANT-8]',
    },
    {
      rule: 'id of another grant',
      says: 'an answer has not the id of another grant',
      find: "throw new SluiceError('BAD_MESSAGE', 'The answer cannot be used: a grant has the id of another');",
      replace: 'void 0;',
    },
    {
      rule: 'feed of another grant',
      says: 'an answer has not the feed of another grant',
      find: "throw new SluiceError('BAD_MESSAGE', 'The answer cannot be used: a grant has the feed of another');",
      replace: 'void 0;',
    },
  ]),
  ...rulesIn(
    'packages/node/src/live/subscriptions.ts',
    ['packages/node/src/live/live-server.test.ts'],
    [
      {
        rule: 'revoke of subscriptions',
        says: 'a revoke ends a subscription at once',
        find: "if (log.type !== 'ctl') stops.push(port.watch(space, 'ctl', () => recheck(id)));",
        replace: '',
        named: '[LIVE-3]',
      },
    ],
  ),
  ...rulesIn(
    'packages/node/src/service.ts',
    ['packages/node/src/live/grant-streams.test.ts'],
    [
      {
        rule: 'acknowledgement of a revoke',
        says: 'the node acknowledges only a revoke that it has stored',
        find: "if (found?.status !== 'revoked') return refuse('NOT_FOUND');",
        replace: "if (!found) return refuse('NOT_FOUND');",
        named: '[NODE-30]',
      },
      {
        rule: 'acknowledgement to the owner',
        says: 'the node acknowledges a revoke to the owner’s devices alone',
        find: "{ kind: 'ctl' }, 'write', nowMs) !== 'allowed') return refuse('FORBIDDEN');\n      const found",
        replace: "{ kind: 'ctl' }, 'write', nowMs) === undefined) return refuse('FORBIDDEN');\n      const found",
        named: '[NODE-30]',
      },
      {
        rule: 'served to a reader',
        says: 'what the owner itself reads of a feed does not count as served',
        find: "if (log.type === 'stream' && state && !isOwners(state, requester, clock.nowMs()))",
        replace: "if (log.type === 'stream' && state)",
        named: '[NODE-30]',
      },
    ],
  ),
];
