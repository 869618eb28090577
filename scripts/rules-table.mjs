/**
 * The rules that `npm run rules:break` switches off, one at a time. Each change must be found exactly once in its file, so that the
 * table cannot rot; a rule that two places keep (a node and a reader, say) has a line for each.
 *
 * @typedef {{ readonly file: string, readonly find: string, readonly replace: string }} Change
 * @typedef {{ readonly rule: string, readonly says: string, readonly changes: readonly Change[], readonly tests: readonly string[], readonly named?: string, readonly probe?: string }} Rule
 * `named`: what is in the names of those of the tests that are run. `probe`: of those that are run before a part is broken, where all take long.
 */

import { rulesIn } from './rules-lines.mjs';
import { AGENT_RULES } from './rules-of-agents.mjs';
import { CLOCK_RULES } from './rules-of-clocks.mjs';
import { GRANT_RULES } from './rules-of-grants.mjs';
import { LANE_RULES } from './rules-of-lanes.mjs';
import { LOG_RULES } from './rules-of-logs.mjs';
import { NARROWING_RULES } from './rules-of-narrowing.mjs';
import { PROOF_RULES } from './rules-of-proofs.mjs';
import { RECORD_RULES } from './rules-of-records.mjs';
import { TERMS_RULES } from './rules-of-terms.mjs';
import { UNDO_RULES } from './rules-of-undo.mjs';

/** @type {readonly Rule[]} */
export const RULES = [
  {
    rule: 'commitment',
    says: 'a key that is handed over must be the one committed to',
    changes: [
      {
        file: 'packages/client/src/sharing/sync-grant.ts',
        find: "if (!checkCommitment(grantKey, commitment)) throw bad('a key is not the one that was committed to');",
        replace: 'void [checkCommitment, commitment];',
      },
    ],
    tests: ['packages/testkit/src/proof/forged-answers.test.ts'],
  },
  {
    rule: 'aad',
    says: 'an entry opens only under its own header and in its own stream',
    changes: [
      {
        file: 'packages/core/src/stream/sealed-entry.ts',
        find: 'sealAead(key, concatBytes(encoded, stream), padPlaintext(plaintext), random)',
        replace: 'sealAead(key, concatBytes(), padPlaintext(plaintext), random)',
      },
      {
        file: 'packages/core/src/stream/sealed-entry.ts',
        find: 'openAead(key, concatBytes(entry.header, stream), entry.body)',
        replace: 'openAead(key, concatBytes(), entry.body)',
      },
    ],
    tests: ['packages/core/src/stream/stream.test.ts', 'packages/testkit/src/sharing/feed-tamper.test.ts'],
  },
  {
    rule: 'seal',
    says: 'a reader takes only entries that their writer’s seal lists',
    changes: [
      {
        file: 'packages/core/src/stream/page-check.ts',
        find: "if (!isSealedAs(run.seal, n, entry)) return tampered('changed-entry');",
        replace: 'void isSealedAs;',
      },
    ],
    tests: ['packages/testkit/src/proof/hostile-node.test.ts'],
  },
  {
    rule: 'seal at the node',
    says: 'the node takes a batch only if it is what its seal lists',
    changes: [
      {
        file: 'packages/core/src/stream/writer-seal.ts',
        find: 'if (n !== seal.firstN + i || !equalBytes(writer, seal.writer) || !isSealedAs(seal, n, entry))',
        replace: 'if (n !== seal.firstN + i || !equalBytes(writer, seal.writer))',
      },
    ],
    tests: ['packages/core/src/stream/stream.test.ts'],
  },
  {
    rule: 'target',
    says: 'a request counts at the node it was signed for',
    changes: [
      {
        file: 'packages/node/src/http/authenticate.ts',
        find: 'const url = ',
        replace: "const via = headers['x-forwarded-host'];\n    const url = via ? 'https://' + String(via) + path : ",
      },
    ],
    tests: ['packages/node/src/http/authenticate.test.ts'],
  },
  {
    rule: 'target of live connections',
    says: 'a hello counts at the node it was signed for',
    changes: [
      {
        file: 'packages/core/src/identity/http/hello.ts',
        find: "if (hello.value.node !== nodeDid) return err({ type: 'wrong-node' });",
        replace: 'void nodeDid;',
      },
    ],
    tests: ['packages/core/src/identity/http/hello.test.ts'],
  },
  {
    rule: 'nonce',
    says: 'a signed request is served once',
    changes: [
      {
        file: 'packages/node/src/http/authenticate.ts',
        find: "if (nonces.seen(publicKey, nonce, expiresMs, nowMs)) throw new Problem('REPLAYED');",
        replace: 'nonces.seen(publicKey, nonce, expiresMs, nowMs);',
      },
    ],
    tests: ['packages/node/src/http/authenticate.test.ts'],
  },
  {
    rule: 'epoch',
    says: 'the node refuses entries under an older key epoch',
    changes: [
      {
        file: 'packages/node/src/storage/sqlite/append.ts',
        find: "if (kind === 'own' && header.epoch < epoch) throw new Refused('KEY_EPOCH');",
        replace: 'void [kind, epoch];',
      },
    ],
    tests: ['packages/node/src/storage/sqlite/sqlite-storage.test.ts'],
  },
  {
    rule: 'feed head',
    says: 'an append to a feed is a compare-and-set on its head',
    changes: [
      {
        file: 'packages/node/src/storage/sqlite/append.ts',
        find: "if (part.head !== log.head) throw new Refused('STALE_HEAD');",
        replace: '',
      },
    ],
    tests: ['packages/node/src/storage/sqlite/sqlite-storage.test.ts'],
  },
  {
    rule: 'basis',
    says: 'a checkpoint’s basis never goes back',
    changes: [
      {
        file: 'packages/client/src/sharing/feed/feed-reader.ts',
        find: "if (!covers(basis, seen.basis) || asOfMs < seen.asOfMs) return 'basis';",
        replace: "if (asOfMs < seen.asOfMs) return 'basis';",
      },
      {
        file: 'packages/client/src/sharing/feed/feed-reader.ts',
        find: "if (!covers(basis, state.basis) || asOfMs < state.asOfMs) return 'basis';",
        replace: "if (asOfMs < state.asOfMs) return 'basis';\n    void covers;",
      },
    ],
    tests: ['packages/testkit/src/sharing/feed-tamper.test.ts'],
  },
  {
    rule: 'second reading',
    says: 'a sum that does not fit has the feed read once more before the node is blamed',
    changes: [
      {
        file: 'packages/client/src/sharing/feed/feed-reader.ts',
        find: "if ((what === 'count' || what === 'digest') && !sweep) {",
        replace: "if ((what === 'count' || what === 'digest') && !sweep && what !== what) {",
      },
    ],
    tests: ['packages/testkit/src/sharing/feed-tamper.test.ts'],
  },
  {
    rule: 'end of a second reading',
    says: 'a second reading of a feed must come to where the first was',
    changes: [
      {
        file: 'packages/client/src/sharing/feed/feed-reader.ts',
        find: "if (!covers(basis, state.basis) || asOfMs < state.asOfMs) return 'basis';",
        replace: '',
      },
    ],
    tests: ['packages/testkit/src/sharing/feed-tamper.test.ts'],
  },
  {
    rule: 'card',
    says: 'a checkpoint is signed by a device whose card the owner signed',
    changes: [
      {
        file: 'packages/client/src/sharing/feed/feed-reader.ts',
        find: "if (!card || !deps.isOwnersDevice(signer, card, asOfMs)) return 'foreign-signer';",
        replace: '',
      },
    ],
    tests: ['packages/testkit/src/sharing/feed-tamper.test.ts'],
  },
  {
    rule: 'basis at the agent',
    says: 'an agent that is behind the feed’s basis appends nothing',
    changes: [
      {
        file: 'packages/client/src/sharing/feed/agent.ts',
        find: 'if (work.doubtful || !covers(round.basisOf(work.grant.collection), work.progress.basis)) continue;',
        replace: 'if (work.doubtful) continue;\n      void covers;',
      },
    ],
    tests: ['packages/testkit/src/proof/late-agent.test.ts'],
  },
  {
    rule: 'revoke',
    says: 'the node serves a revoked reader nothing',
    changes: [
      {
        file: 'packages/core/src/stream/access-state.ts',
        find: "|| !opens(row, target, VERB[verb])) continue;\n    if (isLive(row, nowMs)) return 'allowed';",
        replace: "|| !opens(row, target, VERB[verb])) continue;\n    if (row.status) return 'allowed';",
      },
    ],
    tests: ['packages/testkit/src/sharing/feed.test.ts'],
  },
  {
    rule: 'revoke of appends',
    says: 'the node takes nothing for a feed that nobody may read',
    changes: [
      {
        file: 'packages/node/src/storage/sqlite/sqlite-storage.ts',
        find: "if (standing !== 'open') throw new Refused(REFUSALS[standing]);",
        replace: 'void [standing, REFUSALS];',
      },
    ],
    tests: ['packages/node/src/storage/sqlite/sqlite-storage.test.ts'],
  },
  {
    rule: 'revoke at the agent',
    says: 'the owner’s agent appends nothing after a revoke, whatever the node does',
    changes: [
      {
        file: 'packages/client/src/sharing/given-grants.ts',
        find: '      agent.remove(grantId);\n',
        replace: '',
      },
      {
        file: 'packages/client/src/sharing/grant-runner.ts',
        find: 'problems.delete(grant.grantId);\n      return agent.remove(grant.grantId);',
        replace: 'return;',
      },
    ],
    tests: ['packages/testkit/src/proof/hostile-feed.test.ts'],
  },
  {
    rule: 'sender',
    says: 'a message counts only with the signature of the sender it names',
    changes: [
      {
        file: 'packages/core/src/message/sealed-message.ts',
        find: "if (!speaksFor(key, inner.value.card, sender.value, { ...deps, nowMs: atMs })) return err({ type: 'bad-sender' });",
        replace: 'void speaksFor;',
      },
    ],
    tests: ['packages/testkit/src/proof/forged-answers.test.ts'],
  },
  {
    rule: 'id choice',
    says: 'a sender never chooses the id that its record gets',
    changes: [
      {
        file: 'packages/client/src/messaging/messaging.ts',
        find: 'const id = pseudonym(',
        replace: 'const id = record._id ? String(record._id) : pseudonym(',
      },
    ],
    tests: ['packages/testkit/src/proof/forged-answers.test.ts'],
  },
  ...rulesIn(
    'packages/client/src/messaging/inbox-item.ts',
    ['packages/testkit/src/messaging/inbox.test.ts'],
    [
      {
        rule: 'links that are shown',
        says: 'a link that is no https address is not shown, whoever sent it',
        find: 'isWebAddress(link.url)) ? data : rest;',
        replace: 'isWebAddress(link.url)) || link ? data : rest;',
        named: '[MSG-31]',
      },
      {
        rule: 'links of https',
        says: 'an address that a person is offered is one of https',
        find: "&& new URL(value).protocol === 'https:';",
        replace: ';',
        named: '[MSG-31]',
      },
    ],
  ),
  {
    rule: 'clock',
    says: 'the node refuses entries stamped in the future',
    changes: [
      {
        file: 'packages/node/src/storage/sqlite/append.ts',
        find: "if (header.hlc.ms > nowMs + MAX_CLOCK_AHEAD_MS) throw new Refused('CLOCK_SKEW');\n  if (kind",
        replace: 'void nowMs;\n  if (kind',
      },
    ],
    tests: ['packages/node/src/storage/sqlite/sqlite-storage.test.ts'],
  },
  {
    rule: 'size',
    says: 'a message over the limit is refused',
    changes: [
      {
        file: 'packages/node/src/service.ts',
        find: 'if (size > MAX_DEPOSIT_BYTES || messages.some((m) => m.length > MAX_MESSAGE_BYTES))',
        replace: 'void MAX_MESSAGE_BYTES;\n      if (size > MAX_DEPOSIT_BYTES)',
      },
    ],
    tests: ['packages/node/src/http/space-routes.test.ts'],
  },
  {
    rule: 'projection',
    says: 'a grant of chosen fields reveals these alone',
    changes: [
      {
        file: 'packages/core/src/grant/projection.ts',
        find: 'shown.length === 0 ? { ...record } : {};',
        replace: 'shown.length >= 0 ? { ...record } : {};',
      },
    ],
    tests: ['packages/testkit/src/sharing/feed.test.ts'],
  },
  {
    rule: 'lane clock',
    says: 'a write that is dated ahead takes no effect',
    changes: [
      {
        file: 'packages/client/src/sharing/lane/judge.ts',
        find: 'if (stamp.ms > nowMs + MAX_AHEAD_MS)',
        replace: 'if (stamp.ms < 0 * MAX_AHEAD_MS)',
      },
    ],
    tests: ['packages/testkit/src/proof/hostile-lanes.test.ts'],
  },
  {
    rule: 'lane target',
    says: 'a grantee changes no record that it may not see',
    changes: [
      {
        file: 'packages/client/src/sharing/lane/judge.ts',
        find: 'if (alive && !maySee(rule, alive, nowMs))',
        replace: 'if (alive && !maySee)',
      },
    ],
    tests: ['packages/testkit/src/proof/hostile-lanes.test.ts'],
  },
  {
    rule: 'lane operations',
    says: 'a grantee does what its grant lets it do',
    changes: [
      {
        file: 'packages/client/src/sharing/lane/judge.ts',
        find: 'if (!rule.write.operations.includes(operation))',
        replace: 'if (rule.write.operations.length === 0)',
      },
    ],
    tests: ['packages/testkit/src/proof/hostile-lanes.test.ts'],
  },
  {
    rule: 'lane fields',
    says: 'a grantee sets the fields that its grant names',
    changes: [
      {
        file: 'packages/client/src/sharing/lane/judge.ts',
        find: 'if (names.some((name) => !maySet(rule.write, rule.fields, name)))',
        replace: 'if (names.some(() => !maySet))',
      },
    ],
    tests: ['packages/testkit/src/proof/hostile-lanes.test.ts'],
  },
  {
    rule: 'lane schema',
    says: 'a write leaves a record of its schema',
    changes: [
      {
        file: 'packages/client/src/sharing/lane/judge.ts',
        find: 'if (!rule.isValid(document))',
        replace: 'if (!rule.isValid)',
      },
    ],
    tests: ['packages/testkit/src/proof/hostile-lanes.test.ts'],
  },
  {
    rule: 'lane filter',
    says: 'a write leaves the record inside the filter',
    changes: [
      {
        file: 'packages/client/src/sharing/lane/judge.ts',
        find: 'return matches(rule.filter, document, nowMs) ?',
        replace: 'return document ?',
      },
    ],
    tests: ['packages/testkit/src/proof/hostile-lanes.test.ts'],
  },
  {
    rule: 'window',
    says: 'a record leaves its window at its instant, with nobody online',
    changes: [
      {
        file: 'packages/core/src/grant/feed-diff.ts',
        find: 'const expiresMs = nextFlip(rule.filter, record, nowMs);',
        replace: 'const expiresMs = nextFlip(rule.filter, record, nowMs) && undefined;',
      },
    ],
    tests: ['packages/testkit/src/sharing/feed.test.ts'],
  },
  {
    rule: 'window at the node',
    says: 'the node serves no body whose expiry has passed',
    changes: [
      {
        file: 'packages/node/src/storage/sqlite/read-page.ts',
        find: 'CASE WHEN e.expires <= ? THEN NULL ELSE e.body END',
        replace: 'CASE WHEN e.expires <= ? THEN e.body ELSE e.body END',
      },
    ],
    tests: ['packages/testkit/src/sharing/feed.test.ts'],
  },
  {
    rule: 'receipt',
    says: 'a receipt counts only between the owner and the grantee that it names',
    changes: [
      {
        file: 'packages/core/src/grant/receipt.ts',
        find: "if (owner !== expected.owner || grantee !== expected.grantee) return err({ type: 'wrong-party' });",
        replace: 'void [owner, grantee];',
      },
    ],
    tests: ['packages/core/src/grant/receipt-vectors.test.ts', 'packages/testkit/src/proof/forged-answers.test.ts'],
  },
  {
    rule: 'acceptance',
    says: 'an acceptance is of the receipt that it names, and of no other',
    changes: [
      {
        file: 'packages/core/src/grant/receipt.ts',
        find: "if (payload.receipt !== receipt.hash) return err({ type: 'wrong-receipt' });",
        replace: '',
      },
    ],
    tests: ['packages/core/src/grant/receipt-vectors.test.ts', 'packages/testkit/src/sharing/receipts.test.ts'],
  },
  {
    rule: 'attestation',
    says: 'what was wiped of one grant says nothing of another',
    changes: [
      {
        file: 'packages/core/src/grant/attestation.ts',
        find: "if (grantId !== grant.grantId) return err({ type: 'wrong-grants' });",
        replace: '',
      },
    ],
    tests: ['packages/core/src/grant/receipt-vectors.test.ts'],
  },
  {
    rule: 'events of one grantee',
    says: 'what is listed of one grantee tells nothing of another that one push released to',
    changes: [
      {
        file: 'packages/client/src/sharing/activity-log.ts',
        find: '.map((event) => narrowed(event, query))',
        replace: '',
      },
    ],
    tests: ['packages/testkit/src/sharing/activity.test.ts'],
  },
  ...RECORD_RULES,
  ...TERMS_RULES,
  ...UNDO_RULES,
  ...PROOF_RULES,
  ...NARROWING_RULES,
  ...GRANT_RULES,
  ...LANE_RULES,
  ...AGENT_RULES,
  ...CLOCK_RULES,
  ...LOG_RULES,
];
