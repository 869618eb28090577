/** `sluice vault import`: files as records; the good are saved, the broken listed, and a stop half way loses nothing. */

import { extname } from 'node:path';
import type { JsonObject } from '@sluice/core/base';
import { type Account, type ImportFailure, readFhirBundle, readJsonLines, SluiceError } from '@sluice/client';
import { type Command, Option } from 'commander';
import { withAccount } from '../account.ts';
import { readText, withExamples } from '../arguments.ts';
import { DoneInPart, Interrupted, UsageError } from '../exit-codes.ts';
import { plain } from '../output.ts';
import type { Settings } from '../settings.ts';

type Format = 'fhir' | 'jsonl';
type Options = { readonly format?: Format; readonly schema?: string };
/** A record and where it stands, if a person would look for it there. */
type Found = { readonly record: JsonObject; readonly place?: string };
type Import = { readonly bySchema: Map<string, Found[]>; readonly problems: readonly string[] };
type Datastore = Awaited<ReturnType<Account['vault']['openDatastore']>>;

/** Records saved between two looks at the progress bar and at signals. */
const STEP = 200;
/** Problems shown to people; JSON has all. */
const SHOWN = 20;

export function addVaultImport(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('import')
    .argument('<file...>', 'files to read, - for the input')
    .description('import records; importing the same file again updates')
    .addOption(
      new Option(
        '--format <kind>',
        'fhir: a FHIR R4 bundle; jsonl: a record a line (default: jsonl for .jsonl and .ndjson, else fhir)',
      ).choices(['fhir', 'jsonl']),
    )
    .option('--schema <id>', 'schema of the records, for jsonl')
    .action(async (files: string[], options: Options) => {
      const s = settings();
      // Every file is read before anything is saved, so that a wrong name changes nothing.
      const read = files.map((file) => readImport(s, file, options));
      await withAccount(s, 'vault', (account) => importAll(s, account, merge(read)));
    });
  withExamples(
    command,
    'vault import bundle.json',
    'vault import --schema social/contact contacts.jsonl',
    'vault import --json *.json | jq .imported',
  );
}

async function importAll(s: Settings, account: Account, { bySchema, problems }: Import): Promise<void> {
  const total = [...bySchema.values()].reduce((sum, list) => sum + list.length, 0);
  const imported: { [schema: string]: number } = {};
  const rejected: { schema: string; reason: string }[] = [];
  let isStopped = false;
  let done = 0;
  const forget = s.io.onStop(() => {
    isStopped = true;
  });
  const bar = s.output.progress('Importing', total);
  try {
    for (const [schema, records] of bySchema) {
      const datastore = await account.vault.openDatastore(schema);
      imported[schema] = 0;
      for (let at = 0; at < records.length && !isStopped; at += STEP) {
        const step = records.slice(at, at + STEP);
        imported[schema] += await saveGood(datastore, step, (reason) => rejected.push({ schema, reason }));
        done += step.length;
        bar.to(done);
        // A signal is heard between two steps only.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  } finally {
    bar.end();
    forget();
  }
  if (isStopped)
    throw new Interrupted(
      `Stopped after ${done} of ${total} records; they are kept. Import the same file again to go on: nothing is doubled.`,
    );
  const bad = [...problems.map((p) => `left out: ${p}`), ...rejected.map((r) => `left out: ${r.schema}: ${r.reason}`)];
  s.output.result({ imported, broken: problems, rejected }, () =>
    [
      ...Object.entries(imported).map(([schema, n]) => `${String(n).padStart(6)}  ${schema}`),
      ...bad.slice(0, SHOWN).map(plain),
      ...(bad.length > SHOWN ? [`and ${bad.length - SHOWN} more left out (--json lists all)`] : []),
    ].join('\n'),
  );
  if (bad.length > 0) throw new DoneInPart();
}

const REASONS: { readonly [type in ImportFailure['type']]: string } = {
  malformed: 'it is not JSON. For a file with a record a line use --format jsonl',
  'too-large': 'it is over 64 MiB. Split it into several',
  'too-deep': 'it is nested more than 64 levels deep',
  'not-a-bundle':
    'it is not a FHIR bundle of type transaction, batch or collection. For a record a line use --format jsonl',
};

function readImport(s: Settings, file: string, options: Options): Import {
  const isLines = ['.jsonl', '.ndjson'].includes(extname(file));
  const format = options.format ?? (isLines || options.schema !== undefined ? 'jsonl' : 'fhir');
  if (format === 'jsonl' && options.schema === undefined)
    throw new UsageError(`--schema says what the records of ${file} are, e.g. --schema social/contact.`);
  const text = readText(s.io, file);
  const bySchema = new Map<string, Found[]>();
  const add = (schema: string, found: Found): void => {
    const list = bySchema.get(schema);
    if (list) list.push(found);
    else bySchema.set(schema, [found]);
  };
  if (options.schema !== undefined && format === 'jsonl') {
    const { records, lines, problems } = readJsonLines(text);
    for (const [i, record] of records.entries()) add(options.schema, { record, place: `${file} line ${lines[i]}` });
    return { bySchema, problems: problems.map((p) => `${file} line ${p.line}: ${p.reason}`) };
  }
  const bundle = readFhirBundle(text);
  if (!bundle.ok) throw new SluiceError('BAD_BUNDLE', `${file} cannot be imported: ${REASONS[bundle.error.type]}.`);
  for (const { schema, record } of bundle.value.records) add(schema, { record });
  const problems = bundle.value.problems.map(
    (p) => `${file} entry ${p.index}${p.ref === undefined ? '' : ` (${p.ref.slice(0, 60)})`}: ${p.reason}`,
  );
  return { bySchema, problems };
}

function merge(read: readonly Import[]): Import {
  const bySchema = new Map<string, Found[]>();
  for (const one of read)
    for (const [schema, records] of one.bySchema) bySchema.set(schema, [...(bySchema.get(schema) ?? []), ...records]);
  return { bySchema, problems: read.flatMap((r) => r.problems) };
}

/** Saves what is valid of a step; one bad record must not keep the others out. */
async function saveGood(
  datastore: Datastore,
  found: readonly Found[],
  rejected: (reason: string) => void,
): Promise<number> {
  try {
    return (
      await datastore.saveMany(
        found.map(({ record }) => record),
        { force: true },
      )
    ).length;
  } catch (cause) {
    if (!(cause instanceof SluiceError) || cause.code !== 'INVALID_RECORD') throw cause;
    const [first] = found;
    if (first && found.length === 1) {
      const [issue] = cause.issues;
      rejected(
        `${first.place ?? String(first.record._id)}: ${issue ? `${issue.path} ${issue.message}` : cause.message}`,
      );
      return 0;
    }
    let saved = 0;
    for (const one of found) saved += await saveGood(datastore, [one], rejected);
    return saved;
  }
}
