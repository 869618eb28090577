/** The processes of one workload: a node, the owner, and whoever joins; on fresh folders. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, type NodeHandle, startClient, startNode } from './process.ts';

/** What a workload is run with. */
export type RoundOptions = {
  readonly directory: string;
  readonly synchronous: string;
  readonly records: number;
  /** How many grants of one collection: each is measured. */
  readonly grants: readonly number[];
};
/** Takes a figure down by its name. */
export type Note = (name: string, value: number) => void;

export type Setting = {
  readonly node: NodeHandle;
  readonly owner: Client;
  /** The owner's DID and recovery phrase. */
  readonly did: string;
  readonly phrase: string;
  readonly client: () => Promise<Client>;
  /** A client whose account is an app of its own. */
  readonly app: (name: string) => Promise<Client>;
  /** A folder of the setting's own. */
  readonly folder: (name: string) => string;
  readonly stop: () => Promise<void>;
};

export const percentile = (values: readonly number[], p: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * p))] ?? Number.NaN;

/** Starts a node and an owner without records. */
export async function startSetting({ directory, synchronous }: RoundOptions, name: string): Promise<Setting> {
  const folder = (file: string): string => join(directory, name, file);
  mkdirSync(folder('node'), { recursive: true });
  const node = await startNode(folder('node'), synchronous);
  const hostsFile = folder('hosts.json');
  const hosts: [string, string][] = [['node.sluice.test', `127.0.0.1:${node.port}`]];
  const saveHosts = (): void => writeFileSync(hostsFile, JSON.stringify(hosts));
  saveHosts();
  const clients: Client[] = [];
  const client = async (): Promise<Client> => {
    const started = await startClient(hostsFile, synchronous);
    clients.push(started);
    return started;
  };
  const owner = await client();
  const { did, phrase } = await owner.step<{ did: string; phrase: string }>('person', { store: folder('owner') });
  return {
    node,
    owner,
    did,
    phrase,
    client,
    app: async (appName) => {
      const started = await client();
      const { port } = await started.step<{ port: number }>('app', {
        store: folder(appName),
        origin: `https://${appName}.example`,
      });
      hosts.push([`${appName}.example`, `127.0.0.1:${port}`]);
      saveHosts();
      return started;
    },
    folder,
    stop: async () => {
      for (const each of clients) each.stop();
      await node.stop();
    },
  };
}
