/** Gives a node that went back the control entries it has lost (spec/ctl.md). They are signed, so anybody who is named may carry them. */

import { bytesToHex, type SpaceId } from '@sluice/core/base';
import { entryHash } from '@sluice/core/stream';
import { encodePush } from '@sluice/core/wire';
import { batchesOf, entryBytes } from '../batches.ts';
import type { LiveLink } from '../link/live-link.ts';
import { readLog } from '../link/read-log.ts';
import type { ControlLog } from './control-log.ts';

/** Reads what the node has and pushes the rest, in the order in which it was once accepted. */
export async function pushBackControl(
  link: Pick<LiveLink, 'subscribe' | 'push'>,
  space: SpaceId,
  control: Pick<ControlLog, 'entries'>,
): Promise<void> {
  const there = new Set<string>();
  await readLog(link, space, { type: 'ctl' }, 0, (page) => {
    for (const { header, body } of page.entries) if (body) there.add(bytesToHex(entryHash({ header, body })));
  });
  const lost = control.entries().filter((entry) => !there.has(bytesToHex(entryHash(entry))));
  for (const entries of batchesOf(lost, entryBytes)) await link.push(space, encodePush([{ type: 'ctl', entries }]));
}
