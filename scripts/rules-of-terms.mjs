/**
 * The rules of changed terms, for `rules-table.mjs`.
 *
 * @type {readonly import('./rules-table.mjs').Rule[]}
 */
export const TERMS_RULES = [
  {
    rule: 'terms in the row',
    says: 'from the moment a row states new terms, the node refuses what is sealed by those before',
    changes: [
      {
        file: 'packages/node/src/storage/sqlite/append.ts',
        find: 'part.term < Math.max(log.term, grantTerm(access, part.stream))',
        replace: 'part.term < Math.max(log.term, 0 * grantTerm(access, part.stream))',
      },
    ],
    tests: ['packages/node/src/live/grant-streams.test.ts'],
  },
  {
    rule: 'terms never fall',
    says: 'the number of terms in a row never falls, whichever row is later',
    changes: [
      {
        file: 'packages/core/src/stream/access-state.ts',
        find: 'term: Math.max(old.term, next.term)',
        replace: 'term: next.term',
      },
    ],
    tests: ['packages/core/src/stream/ctl-vectors.test.ts'],
  },
  {
    rule: 'pause stands',
    says: 'a later row that knows nothing of a pause does not end it',
    changes: [
      {
        file: 'packages/core/src/stream/access-state.ts',
        find: '...fixedParts, ...laterStatus(old, next) });',
        replace: '...fixedParts });\n  void laterStatus;',
      },
    ],
    tests: ['packages/core/src/stream/ctl-vectors.test.ts'],
  },
  {
    rule: 'row of the terms that stand',
    says: 'a row that says the number of the terms that stand, and the end of others, is mended',
    changes: [
      {
        file: 'packages/client/src/sharing/given-grants.ts',
        find: "(['status', 'term', 'expiresMs', 'perDay'] as const)",
        replace: "(['status', 'term'] as const)",
      },
    ],
    tests: ['packages/testkit/src/sharing/change-at-once.test.ts'],
  },
  {
    rule: 'acceptance of changes',
    says: 'changed terms are accepted in the name of an app only while it has accepted the grant',
    changes: [
      {
        file: 'packages/client/src/sharing/requester.ts',
        find: "if (facts.get(grantId, 'accepted') && !isEnded)",
        replace: 'if (!isEnded || isEnded)',
      },
    ],
    tests: ['packages/testkit/src/sharing/change-at-once.test.ts'],
  },
  {
    rule: 'one of two terms',
    says: 'of two changes with one number all come to the same',
    changes: [
      {
        file: 'packages/core/src/grant/receipt.ts',
        find: 'a.term > b.term || (a.term === b.term && a.hash > b.hash)',
        replace: 'a.term > b.term',
      },
    ],
    tests: ['packages/core/src/grant/receipt-vectors.test.ts'],
  },
  {
    rule: 'signed terms',
    says: 'a grantee takes terms that the owner signed for its own request, and no others',
    changes: [
      {
        file: 'packages/client/src/sharing/changed-terms.ts',
        find: 'if (!grant || !document || !request || grant.owner !== from) return;',
        replace: 'if (!grant || !document || !request) return;',
      },
    ],
    tests: ['packages/testkit/src/sharing/change.test.ts'],
  },
  {
    rule: 'changed terms',
    says: 'a grantee takes terms that are a narrowing of what it asked alone',
    changes: [
      {
        file: 'packages/client/src/sharing/changed-terms.ts',
        find: '|| wrongNarrowing(grant.asked, parsed.value.terms)',
        replace: '|| (wrongNarrowing(grant.asked, parsed.value.terms) && false)',
      },
    ],
    tests: ['packages/testkit/src/sharing/change.test.ts'],
  },
  {
    rule: 'changes in turn',
    says: 'of two changes that one device makes at once neither is lost',
    changes: [
      {
        file: 'packages/client/src/sharing/change-terms.ts',
        find: 'inTurn(grantId, () => change(grantId, narrowing))',
        replace: 'change(grantId, narrowing)',
      },
    ],
    tests: ['packages/testkit/src/sharing/change.test.ts'],
  },
  {
    rule: 'nothing after the close',
    says: 'a grant that the node holds to be over is not looked at again once its account is closed',
    changes: [
      {
        file: 'packages/client/src/sharing/grant-runner.ts',
        find: '[...stops, ...looks.values()]',
        replace: 'stops',
      },
    ],
    tests: ['packages/testkit/src/sharing/ends.test.ts'],
  },
  {
    rule: 'said again',
    says: 'what the other side of a grant is not known to have heard is said again',
    changes: [
      {
        file: 'packages/client/src/sharing/words.ts',
        find: 'for (const word of unheard()) repeat(word, REPEAT_MS);',
        replace: 'void [unheard, repeat];',
      },
    ],
    tests: ['packages/testkit/src/sharing/said-again.test.ts'],
  },
  {
    rule: 'one message of a word',
    says: 'a word that is said again is the same message, and shown once',
    changes: [
      {
        file: 'packages/client/src/messaging/outbox.ts',
        find: 'courier.draft(item, id)',
        replace: 'courier.draft(item, void id)',
      },
    ],
    tests: ['packages/testkit/src/sharing/said-again.test.ts'],
  },
  {
    rule: 'accepted again',
    says: 'a grantee that is told again of what it accepted says so again',
    changes: [
      {
        file: 'packages/client/src/sharing/grantee-words.ts',
        find: 'words.repeat(said, ANSWER_MS)',
        replace: 'void said',
      },
    ],
    tests: ['packages/testkit/src/sharing/said-again.test.ts'],
  },
  {
    rule: 'terms taken',
    says: 'terms that were accepted are not told of again',
    changes: [
      {
        file: 'packages/client/src/sharing/owner-words.ts',
        find: 'change && isOpen && !facts.get(',
        replace: 'change && isOpen && !void facts.get(',
      },
    ],
    tests: ['packages/testkit/src/sharing/said-again.test.ts'],
  },
  {
    rule: 'heard',
    says: 'an owner tells a grantee that it heard of the end of a grant',
    changes: [
      {
        file: 'packages/client/src/sharing/grant-life.ts',
        find: 'words.repeat(heardWord(item, ids), ANSWER_MS)',
        replace: 'void heardWord',
      },
    ],
    tests: ['packages/testkit/src/sharing/said-again.test.ts'],
  },
  {
    rule: 'heard is enough',
    says: 'what was heard is said no more',
    changes: [
      {
        file: 'packages/client/src/sharing/grantee-words.ts',
        find: 'said.filter(({ name }) => !facts.get(',
        replace: 'said.filter(({ name }) => !void facts.get(',
      },
    ],
    tests: ['packages/testkit/src/sharing/said-again.test.ts'],
  },
  {
    rule: 'answered once a day',
    says: 'a message that comes again and again is answered at most once a day',
    changes: [
      {
        file: 'packages/client/src/sharing/words.ts',
        find: 'Math.abs(clock.nowMs() - last.createdAt) < everyMs',
        replace: 'everyMs < 0',
      },
    ],
    tests: ['packages/testkit/src/sharing/said-again.test.ts'],
  },
  {
    rule: 'given up before it goes',
    says: 'how much a grantee wipes by giving a grant up is kept before that',
    changes: [
      {
        file: 'packages/client/src/sharing/feed/feed-reader.ts',
        find: "keep(rows.count());\n      end('dropped');",
        replace: "end('dropped');\n      keep(rows.count());",
      },
    ],
    tests: ['packages/testkit/src/sharing/said-again.test.ts'],
  },
];
