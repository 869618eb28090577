/** `sluice agent init|run|status`: an always-on agent, which keeps an owner's grants alive with a key of its own. */

import { writeFileSync } from 'node:fs';
import { Agent, type AgentWork, type AlwaysOnAgent, SluiceError } from '@sluice/client';
import { openNodeStore } from '@sluice/client/node';
import type { Command } from 'commander';
import { orRelease } from '../account.ts';
import { agentDocument, agentLink } from '../agent-documents.ts';
import { withExamples } from '../arguments.ts';
import { orStopped, untilStopped } from '../long-running.ts';
import { plain, schemaName, short, who } from '../output.ts';
import type { Settings } from '../settings.ts';

const ASK_OWNER = 'Give this to the owner, who lets the agent in:';

export function addAgentCommands(agent: Command, settings: () => Settings): void {
  addInit(agent, settings);
  addRun(agent, settings);
  addStatus(agent, settings);
}

const agentOptions = async (s: Settings, use: 'open' | 'new') => {
  const passphrase = await s.passphrase(use);
  return {
    platform: s.platform,
    store: openNodeStore(s.store('agent')),
    passphrase,
    ...(s.argon2 ? { argon2: s.argon2 } : {}),
  };
};

function addInit(parent: Command, settings: () => Settings): void {
  const command = parent
    .command('init')
    .description('make the keys of an agent; prints its request, which an owner answers')
    .option('--node <https>', 'node at which sluice agent run waits for the answer; without it the answer is a file')
    .option('--out <file>', 'write the request to this file instead')
    .action(async (options: { node?: string; out?: string }) => {
      const s = settings();
      const given = await agentOptions(s, 'new');
      const { node, out } = options;
      const agent = await orRelease(given.store, Agent.create({ ...given, ...(node ? { node } : {}) }));
      const request = agentLink('request', agent.request);
      await agent.close();
      if (out !== undefined) writeFileSync(out, `${request}\n`);
      s.output.result({ agent: agent.id, request, ...(out ? { file: out } : {}) }, () =>
        out === undefined ? request : `The request is in ${out}`,
      );
      s.output.note(`${ASK_OWNER} sluice vault agent add '${out ?? 'REQUEST'}' --types TYPE,... --name NAME`);
      s.output.note(node ? 'Then: sluice agent run' : 'Then: sluice agent run --answer FILE');
    });
  withExamples(command, 'agent init --node https://node.example', 'agent init --out request.txt');
}

function addRun(parent: Command, settings: () => Settings): void {
  const command = parent
    .command('run')
    .description('stay: keep the owner’s grants of its types up to date and decide on what grantees write')
    .option('--answer <file>', 'the owner’s answer, the first time, when it came as a file')
    .action(async (options: { answer?: string }) => {
      const s = settings();
      const given = await agentOptions(s, 'open');
      const agent = await orRelease(given.store, Agent.open(given));
      try {
        await enrol(s, agent, options.answer);
        const work = agent.work();
        if (!work) throw new SluiceError('NOT_FOUND', 'This agent is not enrolled');
        await stay(s, agent, work);
      } finally {
        await agent.close();
      }
    });
  withExamples(command, 'agent run', 'agent run --answer answer.txt', 'agent run --json');
}

async function enrol(s: Settings, agent: AlwaysOnAgent, answer: string | undefined): Promise<void> {
  if (agent.work()) return;
  if (answer !== undefined) return agent.enrol(agentDocument('answer', answer));
  s.output.result(
    { event: 'waiting', agent: agent.id },
    () => `waiting for the owner’s answer to agent ${short(agent.id)}`,
  );
  await orStopped(s, agent.answered(), 'Stopped waiting. To go on: sluice agent run.');
}

/** Runs until a signal, or until the owner shuts the agent out. A node that is away only makes it wait. */
async function stay(s: Settings, agent: AlwaysOnAgent, work: AgentWork): Promise<void> {
  const say = (status: string): void =>
    s.output.result({ event: 'status', status, grants: work.grants().length }, () => STATUS[status] ?? status);
  const ended = new Promise<string>((resolve) => {
    const look = (status: string): void => {
      if (status === 'revoked' || status === 'stopped') resolve(status);
    };
    agent.onStatus((status) => {
      say(status);
      look(status);
    });
    look(work.status());
  });
  const owner = agent.owner() ?? '';
  s.output.result({ ready: true, agent: agent.id, owner }, () => `ready agent ${short(agent.id)} of ${owner}`);
  s.output.note('Grants are kept up to date while this runs. Ctrl-C ends it.');
  say(work.status());
  const known = new Map<string, string>();
  const stop = work.onGrants(() => sayGrants(s, work, known));
  sayGrants(s, work, known);
  const how = await Promise.race([untilStopped(s).then(() => 'signal'), ended]);
  stop();
  if (how === 'revoked') throw new SluiceError('REVOKED', 'The owner shut this agent out. Make a new one to come back');
  if (how === 'stopped')
    throw new SluiceError('TAMPERED', 'The node served something that does not verify. This agent uses it no more');
}

const STATUS: { readonly [status: string]: string } = {
  live: 'connected: in step with the node',
  offline: 'not connected to the node; trying',
  revoked: 'shut out by the owner',
  stopped: 'stopped: the node served something that does not verify',
};

/** One line for each grant whose standing has changed. */
function sayGrants({ output }: Settings, work: AgentWork, known: Map<string, string>): void {
  for (const { grantId, grantee, schema, status, problem } of work.grants()) {
    // Between the two no decision of anybody lies.
    const now = problem ?? (status === 'backfill' || status === 'live' ? 'running' : status);
    if (known.get(grantId) === now) continue;
    known.set(grantId, now);
    output.result(
      { event: 'grant', grantId, grantee, schema, status, ...(problem ? { problem } : {}) },
      () => `grant ${short(grantId)}  ${schemaName(schema)} to ${who(grantee)}  ${plain(now)}`,
    );
  }
}

function addStatus(parent: Command, settings: () => Settings): void {
  const command = parent
    .command('status')
    .description('whose agent this is, and the request it made')
    .action(async () => {
      const s = settings();
      const given = await agentOptions(s, 'open');
      const agent = await orRelease(given.store, Agent.open(given));
      try {
        const owner = agent.owner();
        const request = agentLink('request', agent.request);
        const grants = agent.work()?.grants() ?? [];
        s.output.result({ agent: agent.id, owner: owner ?? null, request, grants: grants.length }, () =>
          owner
            ? `agent ${agent.id}\nowner ${owner}\ngrants ${grants.length}`
            : `agent ${agent.id}\nnot enrolled yet. ${ASK_OWNER}\n${request}`,
        );
      } finally {
        await agent.close();
      }
    });
  withExamples(command, 'agent status');
}
