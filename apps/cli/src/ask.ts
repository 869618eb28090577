/** Questions to the person at the terminal: a passphrase, twelve words, a yes. Never asked where nobody can answer. */

import { readFileSync } from 'node:fs';
import { UsageError } from './exit-codes.ts';
import type { Io } from './io.ts';

const LEAST = 8;
const NEEDED = 'A passphrase is needed: use --passphrase-file, set SLUICE_PASSPHRASE, or run in a terminal.';

/** From a file, the environment, or a prompt. It is never taken from the command line, where others can see it. */
export async function readPassphrase(io: Io, file: string | undefined, isNew: boolean): Promise<string> {
  const given = file === undefined ? io.env.SLUICE_PASSPHRASE : readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  if (given) {
    if (isNew && given.length < LEAST) throw new UsageError(`A passphrase has at least ${LEAST} characters.`);
    return given;
  }
  if (file !== undefined) throw new UsageError('The passphrase file is empty.');
  if (!io.canAsk) throw new UsageError(NEEDED);
  const answer = await askSecret(isNew ? 'Choose a passphrase for this device' : 'Passphrase');
  if (isNew && (await askSecret('The same once more')) !== answer)
    throw new UsageError('The two passphrases differ. Nothing was created.');
  return answer;
}

async function askSecret(message: string): Promise<string> {
  const { password, isCancel } = await import('@clack/prompts');
  const answer = await password({
    message,
    output: process.stderr,
    validate: (v) => ((v ?? '').length < LEAST ? `At least ${LEAST} characters` : undefined),
  });
  if (isCancel(answer)) throw new UsageError('Cancelled.');
  return answer;
}

/** Twelve words from a file, the input, or a prompt that does not show them. */
export async function readPhrase(io: Io, file: string | undefined): Promise<string> {
  if (file !== undefined) return readFileSync(file, 'utf8');
  if (!io.canAsk) return io.input();
  const { password, isCancel } = await import('@clack/prompts');
  const answer = await password({ message: 'The twelve words, with spaces between', output: process.stderr });
  if (isCancel(answer)) throw new UsageError('Cancelled.');
  return answer;
}

/** Asks before something is given away. Where nobody can be asked, only `--yes` agrees: a consent is never taken from silence. */
export async function agreed(io: Io, question: string, isSure: boolean | undefined): Promise<void> {
  if (!isSure && !io.canAsk)
    throw new UsageError('Nobody can be asked here, and nothing was changed. Pass --yes to agree.');
  return confirmed(io, question, isSure);
}

/** Asks before something that cannot be undone. Where nobody can be asked, running the command is the answer. */
export async function confirmed(io: Io, question: string, isSure: boolean | undefined): Promise<void> {
  if (isSure || !io.canAsk) return;
  const { confirm, isCancel } = await import('@clack/prompts');
  const answer = await confirm({ message: question, initialValue: false, output: process.stderr });
  if (isCancel(answer) || !answer) throw new UsageError('Cancelled; nothing was changed.');
}
