/** `sluice`: one program to run a node, a vault and an app. Behaviour lives in the packages; this wires options to calls. */

import { SluiceError } from '@sluice/client';
import { Command, CommanderError, Option } from 'commander';
import { addAppCommands } from './commands/app.ts';
import { addNodeCommand } from './commands/node.ts';
import { addVaultCommands } from './commands/vault.ts';
import { addVaultSharingCommands } from './commands/vault-sharing.ts';
import { EXIT, exitCodeOf, UsageError } from './exit-codes.ts';
import { plain } from './output.ts';
import { type GlobalOptions, readSettings, type Settings } from './settings.ts';

const HELP = `
Examples:
  sluice --dev node --data ./node
  sluice --dev vault create --node https://node.sluice.test
  sluice --dev vault import bundle.json
  sluice --dev app sync DID --schema fhir/immunization --filter '{"occurrenceDateTime":{"$within":"P6M"}}' --purpose "To follow up"
  sluice --dev vault requests
  sluice --dev vault approve ID

Exit codes: 0 done, 1 failed, 2 wrong use, 3 declined or expired, 4 the node cannot be reached, 5 refused, 6 the store is in use, 7 invalid input.`;

/** Builds the command line. Exported for tests; `run` is what the binary calls. */
export function createProgram(): Command {
  const program = new Command('sluice')
    .description(
      'Share personal data on your own terms: end-to-end encrypted, with consent, filtered, live, revocable.',
    )
    .version('0.1.0')
    .option('--home <dir>', 'folder of stores and dev hosts (default: $SLUICE_HOME or ~/.sluice)')
    .option('--store <dir>', 'folder of this account (default: vault or app in the home folder)')
    .option('--dev', 'names such as node.sluice.test stand for servers on this machine')
    .option('--as-of <iso>', 'present time of a running clock; only with --dev')
    .option('--passphrase-file <file>', 'file with the passphrase (or SLUICE_PASSPHRASE, or asked for)')
    .option('--json', 'one JSON value a line')
    .addOption(new Option('--argon2 <cost>', 'only with --dev').choices(['floor']).hideHelp())
    .addHelpText('after', HELP)
    .showHelpAfterError('(sluice --help shows how)')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
  let known: Settings | undefined;
  const settings = (): Settings => {
    known ??= readSettings(program.opts<GlobalOptions>());
    return known;
  };
  addNodeCommand(program, settings);
  const vault = program.command('vault').description('a person’s account: records, inbox, consent');
  addVaultCommands(vault, settings);
  addVaultSharingCommands(vault, settings);
  addAppCommands(
    program.command('app').description('an application’s account and its side of every scenario'),
    settings,
  );
  return program;
}

/** Runs one command and returns its exit code. Errors are said once, with what to do; secrets are in none of them. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = createProgram();
  try {
    await program.parseAsync([...argv]);
    return EXIT.ok;
  } catch (cause) {
    if (cause instanceof CommanderError) return cause.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const json = program.opts<GlobalOptions>().json === true;
    const code = cause instanceof UsageError ? EXIT.usage : exitCodeOf(cause);
    const known = cause instanceof SluiceError || cause instanceof UsageError;
    const text = known
      ? cause.message
      : `Something unexpected went wrong: ${cause instanceof Error ? cause.message : String(cause)}`;
    const error = cause instanceof SluiceError ? cause.code : cause instanceof UsageError ? 'USAGE' : 'UNEXPECTED';
    process.stderr.write(
      json ? `${JSON.stringify({ error, message: text, exitCode: code })}\n` : `sluice: ${plain(text)}\n`,
    );
    return code;
  }
}
