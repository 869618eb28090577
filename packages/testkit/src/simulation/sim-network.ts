/**
 * The network between clients and one node: connections that keep the order of their frames and can be cut, and plain requests that can
 * be lost on either way. Must not know what is carried.
 */

import type { Chance } from './chance.ts';
import type { Life, Scheduler } from './scheduler.ts';

/** The side of a connection that some process holds. */
export type Side = { readonly life: Life; readonly onFrame: (bytes: Uint8Array) => void; readonly onClose: () => void };
/** A connection as the node takes it up. */
export type Accepted = Omit<Side, 'life'>;
/** A connection from the node's end. */
export type NodeEnd = {
  readonly send: (bytes: Uint8Array) => void;
  readonly close: () => void;
  readonly client: string;
};
/** The node as the network reaches it: undefined while it is down. */
export type Host = {
  readonly life: Life;
  readonly accept: (end: NodeEnd) => Accepted;
};
/** A connection from the client's end. */
export type ClientEnd = { readonly send: (bytes: Uint8Array) => void; readonly close: () => void };

/** How bad the network is. Probabilities for one event each. */
export type NetworkFaults = {
  readonly cut: number;
  readonly stall: number;
  readonly lose: number;
  readonly slow: number;
};
/** A network without faults. */
export const CALM: NetworkFaults = { cut: 0, stall: 0, lose: 0, slow: 0 };

/** The network. */
export type SimNetwork = {
  readonly setHost: (host: Host | undefined) => void;
  readonly setFaults: (faults: NetworkFaults) => void;
  /** Opens a connection of a client's process. */
  readonly connect: (client: Life, events: Omit<Side, 'life'> & { readonly onOpen: () => void }) => ClientEnd;
  /** Carries a request to the node, or to nobody; undefined when no answer came. */
  readonly request: <T>(
    client: Life,
    label: string,
    timeoutMs: number,
    serve: (host: Host) => Promise<T>,
  ) => Promise<T | undefined>;
  /** Keeps a client from the node, or lets it back. Its connections are cut. */
  readonly setPartitioned: (client: string, cut: boolean) => void;
  /** Cuts every connection, of one client or of all. */
  readonly cutAll: (client?: string) => void;
};

type Pipe = { lastMs: number; cut: boolean };
type Connection = {
  readonly id: number;
  readonly client: Life;
  readonly toClient: Pipe;
  readonly toNode: Pipe;
  readonly end: () => void;
};

const REFUSED_MS = 40;

/** Creates a network without a node. */
export function createSimNetwork(scheduler: Scheduler, chance: Chance): SimNetwork {
  const connections = new Set<Connection>();
  const partitioned = new Set<string>();
  let host: Host | undefined;
  let faults = CALM;
  let nextId = 1;

  const delay = (): number => {
    if (faults.slow > 0 && chance.happens(faults.slow)) return 50 + chance.below(2_000);
    return 1 + chance.below(20);
  };
  /** When the next frame of a pipe arrives: never before the one sent earlier. */
  const arrival = (pipe: Pipe): number => {
    const stall = faults.stall > 0 && chance.happens(faults.stall) ? chance.below(8_000) : 0;
    pipe.lastMs = Math.max(pipe.lastMs, scheduler.nowMs() + delay() + stall);
    return pipe.lastMs - scheduler.nowMs();
  };
  const reaches = (client: Life): Host | undefined => (partitioned.has(client.name) ? undefined : host);

  /** What is under way arrives or not, each way by itself; then both sides hear of the end. */
  const cut = (connection: Connection): void => {
    if (!connections.delete(connection)) return;
    for (const pipe of [connection.toClient, connection.toNode]) pipe.cut = chance.happens(0.6);
    scheduler.note(`cut ${connection.client.name}#${connection.id}`);
    connection.end();
  };

  return {
    setHost: (next) => {
      host = next;
    },
    setFaults: (next) => {
      faults = next;
    },
    connect: (client, events) => {
      const id = nextId++;
      const name = `${client.name}#${id}`;
      const toClient: Pipe = { lastMs: 0, cut: false };
      const toNode: Pipe = { lastMs: 0, cut: false };
      let far: { readonly life: Life; readonly side: Accepted } | undefined;
      const closeClient = (): void => {
        scheduler.after(toClient.cut ? delay() : arrival(toClient), `close ${name}`, client, events.onClose);
      };
      const closeNode = (): void => {
        const { life, side } = far ?? {};
        if (side) scheduler.after(toNode.cut ? delay() : arrival(toNode), `gone ${name}`, life, side.onClose);
      };
      const connection: Connection = {
        id,
        client,
        toClient,
        toNode,
        end: () => {
          closeClient();
          closeNode();
        },
      };
      const carry = (
        pipe: Pipe,
        label: string,
        life: Life,
        bytes: Uint8Array,
        to: (bytes: Uint8Array) => void,
      ): void => {
        scheduler.after(arrival(pipe), `${label} ${name} ${bytes.length}`, life, () => {
          if (!pipe.cut) to(bytes);
        });
      };
      if (client.alive)
        scheduler.after(delay(), `connect ${name}`, client, () => {
          const there = reaches(client);
          if (!there) {
            scheduler.after(REFUSED_MS, `refused ${name}`, client, events.onClose);
            return;
          }
          connections.add(connection);
          events.onOpen();
          const side = there.accept({
            client: client.name,
            send: (bytes) => {
              if (!there.life.alive || !connections.has(connection)) return;
              carry(toClient, 'page', client, bytes, events.onFrame);
            },
            close: () => {
              if (!there.life.alive || !connections.delete(connection)) return;
              closeClient();
            },
          });
          far = { life: there.life, side };
        });
      return {
        send: (bytes) => {
          if (!client.alive || !connections.has(connection) || !far) return;
          carry(toNode, 'frame', far.life, bytes, far.side.onFrame);
          if (faults.cut > 0 && chance.happens(faults.cut)) cut(connection);
        },
        close: () => {
          if (!client.alive || !connections.delete(connection)) return;
          closeNode();
        },
      };
    },
    request: (client, label, timeoutMs, serve) =>
      new Promise((resolve) => {
        if (!client.alive) return;
        const giveUp = (): void => {
          scheduler.after(timeoutMs, `no answer ${client.name}`, client, () => resolve(undefined));
        };
        const refuse = (): void => {
          scheduler.after(REFUSED_MS, `unreachable ${client.name}`, client, () => resolve(undefined));
        };
        const there = reaches(client);
        if (!there) return refuse();
        if (faults.lose > 0 && chance.happens(faults.lose)) return giveUp();
        scheduler.after(delay(), `request ${client.name} ${label}`, there.life, () => {
          void serve(there).then((answer) => {
            if (!there.life.alive || (faults.lose > 0 && chance.happens(faults.lose))) return giveUp();
            scheduler.after(delay(), `answer ${client.name} ${label}`, client, () => resolve(answer));
          });
        });
        // A node that dies before it answers leaves the client waiting for its time-out.
        scheduler.after(delay() + timeoutMs, `timeout ${client.name}`, client, () => resolve(undefined));
      }),
    setPartitioned: (client, isCut) => {
      if (!isCut) {
        partitioned.delete(client);
        return;
      }
      partitioned.add(client);
      for (const connection of [...connections]) if (connection.client.name === client) cut(connection);
    },
    cutAll: (client) => {
      for (const connection of [...connections])
        if (client === undefined || connection.client.name === client) cut(connection);
    },
  };
}
