/** An always-on agent in a test network: made, enrolled with an owner, and opened again as after a crash. */

import { join } from 'node:path';
import { Agent, type AgentWork, type AlwaysOnAgent } from '@sluice/client';
import { openNodeStore } from '@sluice/client/node';
import { until } from '../sharing-fixture.ts';
import { type Persona, TEST_ARGON2, type TestNetwork } from '../test-network.ts';

export type EnrolledAgent = {
  readonly agent: AlwaysOnAgent;
  readonly work: AgentWork;
  readonly store: string;
};

const options = (net: TestNetwork, store: string) => ({
  platform: net.platform,
  store: openNodeStore(store),
  passphrase: 'agent passphrase',
  argon2: TEST_ARGON2,
});

/** Makes an agent that no owner knows. */
export const newAgent = (net: TestNetwork, name = 'agent', node?: string): Promise<AlwaysOnAgent> =>
  Agent.create({ ...options(net, join(net.directory, name)), ...(node ? { node } : {}) });

/** Makes an agent and enrols it for types of records of an owner. */
export async function enrolAgent(
  net: TestNetwork,
  owner: Persona,
  types: readonly string[],
  name = 'agent',
): Promise<EnrolledAgent> {
  const agent = await newAgent(net, name);
  const { answer } = await owner.account.agents.add({ request: agent.request, types, name });
  await agent.enrol(answer);
  return { agent, work: workOf(agent), store: join(net.directory, name) };
}

/** Opens the agent of a store again. */
export async function reopenAgent(net: TestNetwork, store: string): Promise<EnrolledAgent> {
  const agent = await Agent.open(options(net, store));
  return { agent, work: workOf(agent), store };
}

/** Waits until an agent runs so many grants, all of them up to date. */
export const atWork = (work: AgentWork, grants: number): Promise<true> =>
  until(() => work.grants().filter((g) => g.status === 'live').length === grants && work.upToDate());

function workOf(agent: AlwaysOnAgent): AgentWork {
  const work = agent.work();
  if (!work) throw new Error('the agent is not enrolled');
  return work;
}
