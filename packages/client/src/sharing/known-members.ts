/** Refuses members that nothing reads: one that is misspelt would ask for more, or give more, than was meant. */

import { isJsonObject, shownText, shownValue } from '@sluice/core/base';
import { SluiceError } from '../errors.ts';

/** Checks what an app hands over. `place` names it among others. Errors: BAD_REQUEST with the member and those there are. */
export function assertMembers(input: unknown, members: readonly string[], place: string): void {
  if (!isJsonObject(input))
    throw new SluiceError('BAD_REQUEST', `${place} is ${shownValue(input)}; allowed is an object`);
  const stray = Object.keys(input).find((name) => !members.includes(name));
  if (stray !== undefined)
    throw new SluiceError(
      'BAD_REQUEST',
      `${place} has no member "${shownText(stray)}"; allowed are ${members.join(', ')}`,
    );
}
