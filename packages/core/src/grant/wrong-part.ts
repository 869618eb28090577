/** What is said of a part of terms that cannot be read: where it stands, what is there, and what may be there. */

import { type Err, err } from '../base/result.ts';
import { shownText, shownValue } from '../base/shown.ts';

/** A part that holds something that is not allowed there. */
export const wrong = (part: string, got: unknown, allowed: string): Err<string> =>
  err(`${part} is ${shownValue(got)}; allowed is ${allowed}`);

/** A member that is not understood. */
export const strayMember = (part: string, name: string, members: readonly string[]): Err<string> =>
  err(`${part}.${shownText(name)} is not known; allowed are ${members.join(', ')}`);
