/** `sluice vault agents` and `sluice vault agent add|revoke`: the owner's always-on agents. */

import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { agentDocument, agentLink } from '../agent-documents.ts';
import { listOf, needId, withExamples } from '../arguments.ts';
import { agreed, confirmed } from '../ask.ts';
import { plain, schemaName, short, when } from '../output.ts';
import type { Settings } from '../settings.ts';

export function addVaultAgents(vault: Command, settings: () => Settings): void {
  addList(vault, settings);
  const agent = vault.command('agent').description('let an always-on agent in, or shut it out');
  addAdd(agent, settings);
  addRevoke(agent, settings);
}

function addList(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('agents')
    .description('your always-on agents, and when each was last heard of')
    .action(async () => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const agents = account.agents.list();
        s.output.result(agents, () =>
          s.output.table(
            ['agent', 'name', 'status', 'since', 'last heard of', 'types'],
            agents.map((a) => [
              short(a.id),
              plain(a.name),
              a.status,
              when(a.addedAtMs),
              a.seenAtMs === undefined ? '-' : when(a.seenAtMs),
              a.types.map(schemaName).join(', '),
            ]),
            'You have no always-on agent: grants are live while one of your devices is online. To have one: sluice agent init',
          ),
        );
      });
    });
  withExamples(command, 'vault agents', 'vault agents --json');
}

function addAdd(agent: Command, settings: () => Settings): void {
  const command = agent
    .command('add <request>')
    .description('let an agent in, by the request that sluice agent init printed (the text or its file)')
    .requiredOption('--types <list>', 'types of records it reads and writes, separated by commas', listOf)
    .option('--name <text>', 'what you call it', 'Agent')
    .option('--out <file>', 'write the answer to this file, for an agent that waits at no node')
    .option('--yes', 'agree without being asked; needed where nobody can be')
    .action(async (given: string, options: { types: string[]; name: string; out?: string; yes?: boolean }) => {
      const s = settings();
      const request = agentDocument('request', given);
      await withAccount(s, 'vault', async (account) => {
        await agreed(
          s.io,
          `Let the agent “${plain(options.name)}” read and write all your records of ${options.types.map(plain).join(', ')}?`,
          options.yes,
        );
        const { types, name, out } = options;
        const { id, answer } = await account.agents.add({ request, types, name });
        const text = agentLink('answer', answer);
        if (out !== undefined) writeFileSync(out, `${text}\n`, { mode: 0o600 });
        s.output.result({ agent: id, answer: text, ...(out ? { file: out } : {}) }, () =>
          out === undefined
            ? `Agent ${short(id)} is let in. Where it waits at a node, the answer is there for ten minutes. Otherwise: sluice agent run --answer '${text}'`
            : `Agent ${short(id)} is let in. The answer is in ${out}`,
        );
      });
    });
  withExamples(
    command,
    "vault agent add request.txt --types social/post,fhir/observation --name 'The box at home'",
    'vault agent add sluice-agent:REQUEST --types social/post --out answer.txt',
  );
}

function addRevoke(agent: Command, settings: () => Settings): void {
  const command = agent
    .command('revoke <id>')
    .description('shut an agent out: the node refuses it at once, and what is written from then on is closed to it')
    .option('--yes', 'do not ask')
    .action(async (given: string, options: { yes?: boolean }) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const agents = account.agents.list();
        const advice = 'See sluice vault agents.';
        const id = needId(
          agents.map((a) => a.id),
          given,
          'agent',
          advice,
        );
        const name = plain(agents.find((a) => a.id === id)?.name ?? '');
        await confirmed(s.io, `Shut out the agent “${name}”? It cannot come back under this name.`, options.yes);
        await account.agents.revoke(id);
        s.output.result({ revoked: id }, () => `Agent “${name}” is shut out.`);
      });
    });
  withExamples(command, 'vault agent revoke 3f9a', 'vault agent revoke 3f9a --yes');
}
