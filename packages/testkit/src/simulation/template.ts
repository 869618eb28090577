/**
 * The world that every seed starts from: an owner with two devices and an always-on agent, and apps with an account each, all made by the real code on a calm
 * network. It is made once and then copied, since it is the same for all.
 */

import { Account, Agent, didDocumentOf, type OpenedStore, type Platform } from '@sluice/client';
import { type Did, toDid } from '@sluice/core/base';
import { createSigningKey } from '@sluice/core/crypto';
import type { FieldFormats } from '@sluice/core/filter';
import type { MergeRules } from '@sluice/core/record';
import { createChance } from './chance.ts';
import { createScheduler, type Life } from './scheduler.ts';
import {
  type ClientWorld,
  createSimClock,
  createSimProcess,
  SIM_ARGON2,
  SIM_PASSPHRASE,
  startProcess,
} from './sim-client.ts';
import { createSimNetwork } from './sim-network.ts';
import { type SimNode, startSimNode } from './sim-node.ts';
import { createSimDisk, type SimDisk } from './sim-store.ts';
import { inSurroundings, turn } from './surroundings.ts';

export const NODE_ORIGIN = 'https://node.sim.test';
/** The node of every simulation. */
export const SIM_NODE = {
  did: toDid('did:web:node.sim.test'),
  key: createSigningKey(createChance('node key').bytes),
} as const;
export const OWNER_DEVICES = ['laptop', 'phone'] as const;
export const APPS = ['clinic', 'shop', 'diary'] as const;
/** The always-on agent of the owner. */
export const AGENT = 'agent';

/** The content of every disk, and what is published. */
export type Template = {
  readonly node: SimDisk;
  readonly disks: ReadonlyMap<string, SimDisk>;
  readonly documents: ReadonlyMap<string, string>;
  readonly owner: Did;
  /** What an account is restored from, by the name of its first device. */
  readonly phrases: ReadonlyMap<string, string>;
  /** How the records that are granted are read and merged. */
  readonly shape: { readonly formats: FieldFormats; readonly merges: MergeRules };
  /** How long the making took, in virtual ms: the copies go on from there. */
  readonly endMs: number;
};

const QUIET = { before: () => undefined, after: () => undefined };
const MADE_BY_MS = 60_000;

let made: Promise<Template> | undefined;

/** The template; it is made at the first call. */
export function template(): Promise<Template> {
  made ??= make();
  return made;
}

async function make(): Promise<Template> {
  // The first use of Argon2 compiles it, which takes a thread of its own.
  await warmUp();
  const chance = createChance('template');
  return inSurroundings(
    chance.fork('system').bytes,
    (cause) => {
      throw cause;
    },
    async () => {
      const scheduler = createScheduler(turn);
      const network = createSimNetwork(scheduler, chance.fork('network'));
      const documents = new Map<string, string>();
      const disks = new Map<string, SimDisk>();
      const nodeDisk = createSimDisk();
      const nodeLife: Life = { name: 'node', alive: true };
      const node: SimNode = startSimNode({
        life: nodeLife,
        disk: nodeDisk,
        hook: QUIET,
        clock: createSimClock(scheduler, nodeLife, () => 0),
        random: chance.fork('node').bytes,
        identity: SIM_NODE,
        watch: (service) => service,
        onStorage: () => undefined,
      });
      network.setHost(node.host);
      const world: ClientWorld = { scheduler, network, node: () => node, chance: chance.fork('clients'), documents };

      /** Lets virtual time go on until the work is done. */
      const finish = async <T>(work: Promise<T>): Promise<T> => {
        const outcome: { value?: { readonly it: T }; cause?: unknown } = {};
        work.then(
          (it) => {
            outcome.value = { it };
          },
          (cause: unknown) => {
            outcome.cause = cause ?? new Error('failed');
          },
        );
        await turn();
        while (!outcome.value && outcome.cause === undefined)
          if (!(await scheduler.step(MADE_BY_MS))) throw new Error('the template takes for ever');
        if (!outcome.value) throw outcome.cause;
        return outcome.value.it;
      };
      const start = async <T>(name: string, create: (platform: Platform, store: OpenedStore) => Promise<T>) => {
        const disk = createSimDisk();
        disks.set(name, disk);
        return finish(startProcess(world, createSimProcess<T>(name, disk), QUIET, create));
      };

      const base = { node: NODE_ORIGIN, passphrase: SIM_PASSPHRASE, argon2: SIM_ARGON2 };
      const accounts: Account[] = [];
      const phrases = new Map<string, string>();
      const [first, ...others] = OWNER_DEVICES;
      const owner = await start(first, async (platform, store) => {
        const created = await Account.create({ ...base, platform, store, deviceName: first });
        phrases.set(first, created.phrase);
        return created.account;
      });
      accounts.push(owner);
      for (const name of others)
        accounts.push(
          await start(name, (platform, store) =>
            Account.restore({ ...base, platform, store, phrase: phrases.get(first) ?? '', deviceName: name }),
          ),
        );
      for (const name of APPS) {
        const origin = `https://${name}.sim.test`;
        const app = await start(name, async (platform, store) => {
          const created = await Account.create({ ...base, platform, store, appOrigin: origin });
          phrases.set(name, created.phrase);
          return created.account;
        });
        documents.set(new URL(origin).host, JSON.stringify(didDocumentOf(app)));
        accounts.push(app);
      }
      for (const account of accounts) await account.vault.openDatastore('social/post');
      const agent = await start(AGENT, (platform, store) =>
        Agent.create({ ...base, node: NODE_ORIGIN, platform, store }),
      );
      const { answer } = await finish(
        owner.sharing.agents.add({ request: agent.request, types: ['social/post'], name: AGENT }),
      );
      await finish(agent.enrol(answer));
      for (const account of [...accounts, ...accounts]) await finish(account.synced());
      await finish(agent.work()?.synced() ?? Promise.reject(new Error('the agent is not enrolled')));
      const did = owner.did;
      const schema = await owner.schemas.load('social/post');
      if (!schema.ok) throw new Error('there is no schema of posts');
      const { formats, merges } = schema.value;
      for (const account of [...accounts, agent]) await account.close();
      const endMs = scheduler.nowMs();
      return { node: nodeDisk, disks, documents, owner: did, phrases, shape: { formats, merges }, endMs };
    },
  );
}

async function warmUp(): Promise<void> {
  const { wrapWithPassphrase } = await import('@sluice/core/crypto');
  await wrapWithPassphrase(new Uint8Array(1), SIM_PASSPHRASE, SIM_ARGON2, (length) => new Uint8Array(length));
}
