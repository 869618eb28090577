/** Rules of always-on agents: named types alone, no word for the owner, and nothing new once shut out. */

import { rulesIn } from './rules-lines.mjs';

const AGENT = 'packages/client/src/agent';
const LIMITS = ['packages/testkit/src/agent/agent-limits.test.ts'];
const PLAYED = ['packages/testkit/src/agent/agent.test.ts'];

/** @type {readonly import('./rules-table.mjs').Rule[]} */
export const AGENT_RULES = [
  ...rulesIn(`${AGENT}/hand-over.ts`, LIMITS, [
    {
      rule: 'agent types',
      says: 'an agent is handed the grants of its types alone',
      find: 'filter((grant) => agent.types.includes(grant.terms.schema));',
      replace: 'filter((grant) => agent.types.length > 0 || grant);',
      named: '[AGT-4]',
    },
    {
      rule: 'agent card',
      says: 'the card of an agent speaks in feeds alone',
      find: "name: agent.name, use: 'feeds' } as const;",
      replace: 'name: agent.name } as const;',
      named: '[AGT-4]',
    },
    {
      rule: 'agent facts',
      says: 'an agent is believed that a grant is complete, and nothing else',
      find: "if (kind === 'grant-fact' && second === 'completed' && mine(first)) given.facts.note(first, 'completed', item);",
      replace: "if (kind === 'grant-fact' && mine(first)) given.facts.note(first, second as 'completed', item);",
      named: '[AGT-10]',
    },
    {
      rule: 'agent facts of its grants',
      says: 'an agent is believed of the grants it runs, and of no other',
      find: "if (kind === 'grant-fact' && second === 'completed' && mine(first)) given.facts.note(first, 'completed', item);",
      replace: "if (kind === 'grant-fact' && second === 'completed') given.facts.note(first, 'completed', item);",
      named: '[AGT-10]',
    },
    {
      rule: 'agent pause of its grants',
      says: 'an agent has no grant paused but those it runs',
      find: "if (kind === 'wanted' && first === 'pause' && mine(second) && isNew)",
      replace: "if (kind === 'wanted' && first === 'pause' && isNew)",
      named: '[AGT-10]',
    },
    {
      rule: 'agent rows first',
      says: 'an agent has the row of a grant before it hears of the grant',
      find: 'if (missing.length > 0) await home.control(',
      replace: 'if (missing.length > 99) await home.control(',
      tests: PLAYED,
      named: '[AGT-3]',
    },
  ]),
  ...rulesIn(`${AGENT}/agent-row.ts`, LIMITS, [
    {
      rule: 'agent row',
      says: 'an agent writes no own stream but those of its rows',
      find: '{ target: Uint8Array.of(STREAM_KIND.own), verbs: VERB.read },',
      replace: '{ target: Uint8Array.of(STREAM_KIND.own), verbs: BOTH },',
      named: '[AGT-6]',
    },
    {
      rule: 'agent is no admin',
      says: 'an agent is let in by rows of its own role',
      find: "role: 'agent',",
      replace: "role: 'admin',",
      named: '[AGT-6]',
    },
  ]),
  ...rulesIn(`${AGENT}/agent-keys.ts`, LIMITS, [
    {
      rule: 'agent keys',
      says: 'an agent is given the keys of its collections, and no key that opens others',
      find: 'return { stream: packBytes(stream), tagKey: packBytes(tagKey), epochs };',
      replace:
        'return { stream: packBytes(stream), tagKey: packBytes(tagKey), epochs, all: packBytes(keys.epochs.get(1) as Uint8Array) };',
      named: '[AGT-4]',
    },
  ]),
  ...rulesIn(`${AGENT}/agents.ts`, LIMITS, [
    {
      rule: 'agent shut out',
      says: 'an agent that is shut out loses its rows',
      find: '    await shutOut(agent);\n    const ending',
      replace: '    void shutOut;\n    const ending',
      named: '[AGT-8]',
    },
    {
      rule: 'agent epoch',
      says: 'what is written after an agent is shut out is under keys it lacks',
      find: 'await startEpoch(account, home);',
      replace: 'void startEpoch;',
      named: '[AGT-8]',
    },
    {
      rule: 'agent comes not back',
      says: 'an agent that was shut out is not let in again',
      find: "if (known && itemToAgent(id, known).status !== 'active')",
      replace: "if (known && itemToAgent(id, known).status === ('none' as string))",
      named: '[AGT-8]',
    },
    {
      rule: 'agent types are named',
      says: 'an agent is let in for at least one named type',
      find: 'if (types.length === 0) throw',
      replace: 'if (types.length < 0) throw',
      tests: PLAYED,
      named: '[AGT-1]',
    },
  ]),
  ...rulesIn(`${AGENT}/enrolment.ts`, PLAYED, [
    {
      rule: 'agent answer',
      says: 'an agent takes an answer to its own request alone',
      find: 'const plain = await openHpke(hpke, INFO, requestHash, sealed);',
      replace: 'const plain = { ok: true, value: sealed } as const;\n  void [openHpke, hpke];',
      named: '[AGT-1]',
    },
  ]),
  ...rulesIn('packages/client/src/sharing/agent-report.ts', LIMITS, [
    {
      rule: 'agent events',
      says: 'of what an agent notes only releases, writes, verdicts and completions are taken',
      find: "if (event.type === 'completion') return of && { type: 'completion', ...of };",
      replace: "if (!['write', 'verdict'].includes(String(event.type))) return of && ({ ...event, ...of } as never);",
      named: '[AGT-10]',
    },
    {
      rule: 'agent names of events',
      says: 'an agent notes nothing under the name of another event',
      find: 'const isOwnName = activity && (',
      replace: 'const isOwnName = activity && (id.length > 0 || ',
      named: '[AGT-10]',
    },
    {
      rule: 'agent events of its grants',
      says: 'an agent tells of no grant that it does not run',
      find: ' || !grantsOf(activity).every(isItsGrant)) return undefined;',
      replace: ' || grantsOf(activity).some((id) => !id || !isItsGrant)) return undefined;',
      named: '[AGT-10]',
    },
  ]),
  ...rulesIn(
    'packages/core/src/stream/access-state.ts',
    ['packages/core/src/stream/agent-access.test.ts'],
    [
      {
        rule: 'agent seals',
        says: 'a reader takes seals of an agent in the streams of its rows alone',
        find: "if (opens(row, { kind: 'own', stream }, VERB.write) && equalBytes(idOf(",
        replace: 'if (stream.length > 0 && equalBytes(idOf(',
      },
      {
        rule: 'agent is the owner’s',
        says: 'only the owner’s own keys count as such',
        find: "equalBytes(row.key, key) && (row.role === 'admin' || row.role === 'agent') && isLive(row, nowMs),",
        replace: 'equalBytes(row.key, key) && isLive(row, nowMs),',
        tests: ['packages/node/src/live/grant-streams.test.ts'],
      },
    ],
  ),
  ...rulesIn(
    'packages/core/src/identity/device-card.ts',
    ['packages/core/src/identity/device-card.test.ts'],
    [
      {
        rule: 'use of a card',
        says: 'a card for feeds opens no document and no message',
        find: "if (isAgents && use !== 'feeds') return err({ type: 'wrong-use' });",
        replace: 'void use;',
      },
    ],
  ),
];
