/** The access row of a device: an admin of the space, named by the hash of its key. */

import { toRowId, type SpaceId } from '@sluice/core/base';
import { type SigningKey, type VerifyKey, writerId } from '@sluice/core/crypto';
import { createCtlEntry, type CtlRow, ctlStreamId, entryHash, NO_ENTRY } from '@sluice/core/stream';
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

/** The root's first control entries in a space: the rows of its devices. */
export function firstAdminEntries(
  root: SigningKey,
  space: SpaceId,
  devices: readonly VerifyKey[],
  ms: number,
): readonly Entry[] {
  let previous: Uint8Array = NO_ENTRY;
  return devices.map((device, counter) => {
    const at = { n: counter + 1, hlc: { ms, counter }, previous };
    const entry = createCtlEntry(root, ctlStreamId(space), at, adminRow(device), null);
    previous = entryHash(entry);
    return entry;
  });
}
