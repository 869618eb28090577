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
];
