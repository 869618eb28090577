/** Nodes that misbehave, to prove that the demo's claims can fail. */

import { appendFileSync } from 'node:fs';
import type { AccessState } from '@sluice/core/stream';
import type { Storage } from '@sluice/node';
import { LEAKED_CANARY } from './canary.ts';

/** A node that has got hold of plaintext somehow and writes it to its log. */
export function leakingStorage(storage: Storage, logFile: string): Storage {
  return {
    ...storage,
    push: (job) => {
      appendFileSync(logFile, `stored something of ${LEAKED_CANARY}\n`);
      return storage.push(job);
    },
  };
}

/** A node that goes on serving a grantee after the revoke: it decides by rows it should have dropped. */
export function stubbornStorage(storage: Storage): Storage {
  const revive = (state: AccessState | undefined): AccessState | undefined =>
    state && {
      ...state,
      rows: new Map(
        [...state.rows].map(([id, row]) => [id, row.role === 'grantee' ? { ...row, status: 'active' as const } : row]),
      ),
    };
  return { ...storage, accessState: (space) => revive(storage.accessState(space)) };
}
