/** Gives a node that went back the control entries it has lost (spec/ctl.md). They are signed, so anybody who is named may carry them. */

import { bytesToHex, type SpaceId } from '@sluice/core/base';
import { entryHash } from '@sluice/core/stream';
import { encodePush, MAX_BATCH_ENTRIES } from '@sluice/core/wire';
import type { LiveLink } from '../link/live-link.ts';
import { readLog } from '../link/read-log.ts';
import type { ControlLog } from './control-log.ts';

/** Reads what the node has and pushes the rest, in the order in which it was once accepted. */
export async function pushBackControl(link: LiveLink, space: SpaceId, control: ControlLog): Promise<void> {
  const there = new Set<string>();
  await readLog(link, space, { type: 'ctl' }, 0, (page) => {
    for (const { header, body } of page.entries) if (body) there.add(bytesToHex(entryHash({ header, body })));
  });
  const lost = control.entries().filter((entry) => !there.has(bytesToHex(entryHash(entry))));
  for (let at = 0; at < lost.length; at += MAX_BATCH_ENTRIES)
    await link.push(space, encodePush([{ type: 'ctl', entries: lost.slice(at, at + MAX_BATCH_ENTRIES) }]));
}
