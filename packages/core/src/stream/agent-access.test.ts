/** What the rows of an agent open: single streams, each by its id. */

import { describe, expect, it } from 'vitest';
import { type StreamId, toRowId, toStreamId } from '../base/ids.ts';
import { writerId } from '../crypto/keys.ts';
import { signingKeyFromSeed } from '../crypto/sign.ts';
import { type AccessRow, type AccessTarget, access, createAccessState, writerKey } from './access-state.ts';

const keyOf = (n: number) => signingKeyFromSeed(new Uint8Array(32).fill(n));
const [root, agent] = [keyOf(1), keyOf(2).publicKey];
const streamOf = (kind: number, n: number): StreamId => toStreamId(Uint8Array.of(kind, ...new Uint8Array(15).fill(n)));
const [mine, other, feed, otherFeed] = [streamOf(1, 1), streamOf(1, 2), streamOf(4, 1), streamOf(4, 2)];

const state = createAccessState(root.publicKey);
const add = (n: number, targets: AccessRow['access']): void => {
  const id = toRowId(new Uint8Array(16).fill(n));
  const row: AccessRow = {
    ...{
      type: 'row',
      id,
      key: agent,
      role: 'agent',
      access: targets,
      status: 'active',
      expiresMs: 0,
      perDay: 0,
      term: 0,
      statusMs: 0,
    },
    ...{ writer: writerId(root.publicKey), ms: 1, counter: 0 },
  };
  state.rows.set(String(n), row);
};
add(1, [{ target: Uint8Array.of(1), verbs: 1 }]);
add(2, [{ target: mine, verbs: 3 }]);
add(3, [{ target: feed, verbs: 3 }]);

describe('the rows of an agent', () => {
  const may = (target: AccessTarget, verb: 'read' | 'write'): string => access(state, agent, target, verb, 10);

  it('[CTL-10] [AGT-6] open the log of own entries for reading, and single streams for writing', () => {
    expect(may({ kind: 'own' }, 'read')).toBe('allowed');
    expect(may({ kind: 'own' }, 'write')).toBe('forbidden');
    expect(may({ kind: 'own', stream: mine }, 'write')).toBe('allowed');
    expect(may({ kind: 'own', stream: other }, 'write')).toBe('forbidden');
    expect(may({ kind: 'feed', stream: feed }, 'write')).toBe('allowed');
    expect(may({ kind: 'feed', stream: otherFeed }, 'read')).toBe('forbidden');
    for (const kind of ['ctl', 'inbox'] as const) expect(may({ kind }, 'write')).toBe('forbidden');
  });

  it('[PULL-9] [AGT-6] make it the writer of these streams, and a foreign one in any other', () => {
    expect(writerKey(state, writerId(agent), mine, writerId)).toEqual(agent);
    expect(writerKey(state, writerId(agent), other, writerId)).toBeUndefined();
    expect(writerKey(state, writerId(keyOf(3).publicKey), mine, writerId)).toBeUndefined();
  });

  it('[PULL-9] are found without a hash of every other row: a space has thousands, and a page hundreds of seals', () => {
    let hashed = 0;
    const counted: typeof writerId = (key) => {
      hashed++;
      return writerId(key);
    };
    expect(writerKey(state, writerId(agent), mine, counted)).toEqual(agent);
    expect(hashed).toBe(1);
  });
});
