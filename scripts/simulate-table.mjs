/**
 * What `npm run simulate:break` takes away, one rule at a time. The seeds of the simulation must notice; where others hold a rule up so well
 * that no run shows its loss, the test of its own is named instead.
 */

const SIMULATION = ['packages/testkit/src/simulation/simulation.test.ts'];
/** All seeds would take the whole time of a part, and have passed in the tests by then. */
const SIMULATED = { tests: SIMULATION, probe: 'one seed gives one run' };
const STEP = 'packages/client/src/sharing/feed/feed-step.ts';
const ENGINE = 'packages/client/src/space/space-engine.ts';

/** @type {readonly import('./rules-table.mjs').Rule[]} */
export const RULES = [
  {
    rule: 'nocvr',
    says: 'the agent compares with what the grantee was sent',
    changes: [{ file: STEP, find: 'sent.memoOf(spot.tag), nowMs', replace: 'undefined, nowMs' }],
    ...SIMULATED,
  },
  {
    rule: 'cursor before data',
    says: 'a cursor is stored with the data it speaks of',
    changes: [
      {
        file: ENGINE,
        find: '    const added = db.transactLazily(() => store.addPage(',
        replace:
          "    db.transact(() => store.setCursor('own', page.cursor));\n    const added = db.transactLazily(() => store.addPage(",
      },
    ],
    ...SIMULATED,
  },
  {
    rule: 'basis at the agent',
    says: 'an agent that is behind the feed’s basis appends nothing (an honest node does not keep it behind)',
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
    rule: 'digest',
    says: 'a sum that does not fit is noticed, and the feed read again (an honest node never makes it differ)',
    changes: [
      {
        file: 'packages/client/src/sharing/feed/feed-reader.ts',
        find: "if (digest.count() !== checkpoint.count) return 'count';",
        replace: 'return undefined;',
      },
    ],
    tests: ['packages/testkit/src/sharing/feed-tamper.test.ts'],
  },
  {
    rule: 'epoch',
    says: 'the node refuses entries under an older key epoch (no device is removed in a simulation)',
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
    rule: 'recount',
    says: 'a write of a grantee takes effect once, under its own stamp',
    changes: [
      {
        file: 'packages/client/src/sharing/lane/lane-desk.ts',
        find: "return status === 'applied' || status === 'undone';",
        replace: 'void status;\n    return false;',
      },
    ],
    tests: [...SIMULATION, 'packages/testkit/src/sharing/lane.test.ts'],
    probe: SIMULATED.probe,
  },
  {
    rule: 'unsynced numbers',
    says: 'an own entry is on the disk before it is sent',
    changes: [
      {
        file: 'packages/client/src/store/collection.ts',
        find: '      const saved: Saved[] = [];\n      db.transact(() => {',
        replace: '      const saved: Saved[] = [];\n      db.transactLazily(() => {',
      },
    ],
    ...SIMULATED,
  },
  {
    rule: 'restage',
    says: 'bytes that the node may have are not made anew',
    changes: [{ file: ENGINE, find: 'if (batches <= 1) return restage(', replace: 'return restage(' }],
    ...SIMULATED,
  },
  {
    rule: 'key out of band',
    says: 'a new key is in the feed before its first use',
    changes: [{ file: STEP, find: '  if (nextKey)\n    entries.push(', replace: '  if (nextKey)\n    void (' }],
    ...SIMULATED,
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
    ...SIMULATED,
  },
  {
    rule: 'nondurable',
    says: 'a feed speaks of what is stored, or is stored with it',
    changes: [
      {
        file: ENGINE,
        find: 'const parts: PushPart[] = [...(batch?.parts ?? [])];',
        replace: 'const parts: PushPart[] = feedParts.length > 0 ? [] : [...(batch?.parts ?? [])];',
      },
      { file: ENGINE, find: 'batch?.acked();', replace: 'if (feedParts.length === 0) batch?.acked();' },
    ],
    ...SIMULATED,
  },
  {
    rule: 'terms at the grantee',
    says: 'a grantee takes up the terms that its owner changed',
    changes: [
      {
        file: 'packages/client/src/sharing/changed-terms.ts',
        find: 'grant !== undefined &&\n    standsAbove(',
        replace: 'grant === undefined &&\n    standsAbove(',
      },
    ],
    ...SIMULATED,
  },
  {
    rule: 'terms at the agent',
    says: 'with other terms everything is looked at again',
    changes: [
      {
        file: 'packages/client/src/sharing/feed/feed-work.ts',
        find: 'if (known && known.rule !== name) {',
        replace: 'if (known && name === known.rule) {',
      },
    ],
    ...SIMULATED,
  },
  {
    rule: 'terms at the node',
    says: 'the node refuses what is sealed on terms that were changed',
    changes: [
      {
        file: 'packages/node/src/storage/sqlite/append.ts',
        find: 'part.term < Math.max(log.term, grantTerm(access, part.stream))',
        replace: '(void [access, grantTerm], false)',
      },
    ],
    ...SIMULATED,
  },
  {
    rule: 'one stamp',
    says: 'a write of a grantee is made under the stamp that it has, whoever makes it and how often',
    changes: [
      {
        file: 'packages/client/src/sharing/lane/lane-desk.ts',
        find: 'joins.push({ change, stamp });',
        replace: 'joins.push({ change, stamp: { ...stamp, counter: Math.floor(clock.nowMs() % 60_000) } });',
      },
      {
        file: 'packages/client/src/sharing/lane/lane-desk.ts',
        find: 'if (before && carries(before, stamp)) continue;',
        replace: 'void carries;',
      },
    ],
    ...SIMULATED,
  },
  {
    rule: 'refusals that were heard',
    says: 'a refusal is told until the grantee has heard it, and a write that waits was not decided',
    changes: [
      {
        file: 'packages/client/src/sharing/lane/lane-writer.ts',
        find: 'waiting.reduce((least, n) => Math.min(least, n - 1), upTo)',
        replace: '(void waiting, upTo)',
      },
    ],
    tests: ['packages/testkit/src/sharing/lane-verdicts.test.ts'],
  },
  {
    rule: 'echo',
    says: 'what a grantee wrote itself does not come to it as somebody else’s',
    changes: [
      {
        file: 'packages/client/src/sharing/feed/feed-reader.ts',
        find: "origin: own ? 'self' : 'owner'",
        replace: "origin: own ? 'owner' : 'owner'",
      },
    ],
    ...SIMULATED,
  },
  {
    rule: 'agent shut out',
    says: 'every row of an agent ends with it',
    changes: [
      {
        file: 'packages/core/src/stream/access-state.ts',
        find: "row.status === 'active' && !isExpired(row, nowMs)",
        replace: "(row.status === 'active' || row.role === 'agent') && !isExpired(row, nowMs)",
      },
    ],
    ...SIMULATED,
  },
  {
    rule: 'rollback',
    says: 'what could not be stored of a grant is no fact',
    changes: [
      {
        file: 'packages/client/src/sharing/grant-facts.ts',
        find: 'keychain.onRollback(load);',
        replace: 'void load;',
      },
    ],
    tests: ['packages/testkit/src/sharing/change.test.ts'],
  },
  {
    rule: 'window',
    says: 'a record leaves its window by itself',
    changes: [
      {
        file: 'packages/core/src/grant/feed-diff.ts',
        find: '  const expiresMs = nextFlip(rule.filter, record, nowMs);',
        replace: '  const expiresMs = undefined as number | undefined;',
      },
    ],
    ...SIMULATED,
  },
];
