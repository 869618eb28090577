/** `sluice`: one program to run a node, a vault and an app. Behaviour lives in the packages; this wires options to calls. */

import { Command, CommanderError, Option } from 'commander';
import { addAgentCommands } from './commands/agent.ts';
import { addAppCommands } from './commands/app.ts';
import { addNodeCommand } from './commands/node.ts';
import { addVaultCommands } from './commands/vault.ts';
import { DoneInPart, EXIT, EXIT_MEANINGS, tellError } from './exit-codes.ts';
import { type Io, systemIo } from './io.ts';
import { escaped, plain } from './output.ts';
import { type GlobalOptions, readSettings, type Settings } from './settings.ts';
import { wrapped } from './text-width.ts';

const HELP = `
Try it out, each line in a terminal of its own:
  sluice --dev node --data ./node
  sluice --dev vault create --node https://node.sluice.test
  sluice --dev vault import bundle.json
  sluice --dev vault watch

Ids may be shortened to any unique beginning of four letters or more.
With --json every command prints one JSON value a line, and errors as {"error", "message", "exitCode"} on the error stream.

Exit codes:
${EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`).join('\n')}`;

/** Builds the command line. */
export function createProgram(io: Io): Command {
  const isJson = (): boolean => program.opts<GlobalOptions>().json === true;
  const program = new Command('sluice')
    .description(
      'Share personal data on your own terms: end-to-end encrypted, with consent, filtered, live, revocable.',
    )
    .version('0.1.0')
    .option('--home <dir>', 'folder of stores and dev hosts (default: $SLUICE_HOME or ~/.sluice)')
    .option('--store <dir>', 'folder of this account (default: vault, app or agent in the home folder)')
    .option('--dev', 'names such as node.sluice.test stand for servers on this machine')
    .option('--as-of <iso>', 'present time of a running clock; only with --dev')
    .option('--passphrase-file <file>', 'file with the passphrase (or SLUICE_PASSPHRASE, or asked for)')
    .option('--json', 'one JSON value a line')
    .addOption(new Option('--argon2 <cost>', 'only with --dev').choices(['floor']).hideHelp())
    .addHelpText('after', HELP)
    .showHelpAfterError('(add --help to see how)')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: io.out,
      writeErr: (text) => {
        if (!isJson()) io.err(text);
      },
      getOutHelpWidth: io.columns,
      getErrHelpWidth: io.columns,
    })
    .exitOverride();
  let known: Settings | undefined;
  const settings = (): Settings => {
    known ??= readSettings(program.opts<GlobalOptions>(), io);
    return known;
  };
  addNodeCommand(program, settings);
  addVaultCommands(program.command('vault').description('a person’s account: records, inbox, consent'), settings);
  addAppCommands(
    program.command('app').description('an application’s account and its side of every scenario'),
    settings,
  );
  addAgentCommands(
    program.command('agent').description('an always-on agent of a person, with a key of its own'),
    settings,
  );
  return program;
}

/** Runs one command and returns its exit code. Errors are said once, with what to do; secrets are in none of them. */
export async function run(argv: readonly string[], io: Io = systemIo()): Promise<number> {
  const program = createProgram(io);
  const isJson = (): boolean => program.opts<GlobalOptions>().json === true;
  try {
    await program.parseAsync([...argv]);
    return EXIT.ok;
  } catch (cause) {
    if (cause instanceof DoneInPart) return EXIT.partial;
    if (cause instanceof CommanderError) {
      if (cause.exitCode === 0) return EXIT.ok;
      const message = cause.message === '(outputHelp)' ? 'Name a command; --help lists them.' : cause.message;
      if (isJson()) io.err(`${JSON.stringify({ error: 'USAGE', message, exitCode: EXIT.usage })}\n`);
      return EXIT.usage;
    }
    const told = tellError(cause);
    const width = io.errIsTerminal ? io.columns() : Number.POSITIVE_INFINITY;
    io.err(`${isJson() ? escaped(JSON.stringify(told)) : wrapped(`sluice: ${plain(told.message)}`, width)}\n`);
    return told.exitCode;
  }
}
