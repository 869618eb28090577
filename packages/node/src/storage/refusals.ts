/** What a key is told that may not do something. */

import type { Verdict } from '@sluice/core/stream';
import type { ErrorCode } from '@sluice/core/wire';

/** The code of each verdict that does not let through. */
export const REFUSALS: { readonly [V in Exclude<Verdict, 'allowed'>]: ErrorCode } = {
  paused: 'PAUSED',
  revoked: 'REVOKED',
  forbidden: 'FORBIDDEN',
};
