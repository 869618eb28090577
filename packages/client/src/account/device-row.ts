/** The access row of a device: an admin of the space, named by the hash of its key. */

import { toRowId, type SpaceId } from '@sluice/core/base';
import { type SigningKey, type VerifyKey, writerId } from '@sluice/core/crypto';
import { createCtlEntry, type CtlRow, ctlStreamId, NO_ENTRY } from '@sluice/core/stream';
import type { Entry } from '@sluice/core/wire';

/** The row that makes a device an admin. */
export const adminRow = (device: VerifyKey): CtlRow => ({
  type: 'row',
  id: toRowId(new Uint8Array(writerId(device))),
  key: device,
  role: 'admin',
  access: [],
  status: 'active',
  expiresMs: 0,
  perDay: 0,
  term: 0,
  statusMs: 0,
});

/** The root's first control entry in a space: the row of its first device. */
export function firstAdminEntry(
  root: SigningKey,
  space: SpaceId,
  device: VerifyKey,
  hlc: { readonly ms: number; readonly counter: number },
): Entry {
  return createCtlEntry(root, ctlStreamId(space), { n: 1, hlc, previous: NO_ENTRY }, adminRow(device), null);
}
