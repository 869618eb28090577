/** `sluice vault activity|report|receipt`: what happened with what was granted, what a grantee knew, and what proves a consent. */

import { writeFileSync } from 'node:fs';
import type { ActivityEvent, GrantReport } from '@sluice/client';
import { type Did, isDid } from '@sluice/core/base';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { instant, needId, whole, withExamples } from '../arguments.ts';
import { UsageError } from '../exit-codes.ts';
import { counted, escaped, plain, schemaName, short, when, who } from '../output.ts';
import type { Settings } from '../settings.ts';
import { fieldWords } from '../terms-words.ts';

export function addVaultActivity(vault: Command, settings: () => Settings): void {
  addActivity(vault, settings);
  addReport(vault, settings);
  addReceipt(vault, settings);
}

const SHOWN_IDS = 10;

type ActivityOptions = {
  readonly grantee?: string;
  readonly grant?: string;
  readonly since?: number;
  readonly limit: number;
  readonly keep?: string;
};

function addActivity(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('activity')
    .description('what was asked of you, given, released, written and ended, newest first')
    .option('--grantee <app>', 'of one app: its DID or host')
    .option('--grant <id>', 'of one grant')
    .option('--since <date>', 'from this date or instant on, in UTC', instant('start'))
    .option('--limit <n>', 'how many events', whole(1), 50)
    .option('--keep <duration>', 'set how long events are kept, as P2Y or P90D; `all` keeps them for ever')
    .action(async (options: ActivityOptions) => {
      const s = settings();
      await withAccount(s, 'vault', async ({ sharing }) => {
        const { activity } = sharing;
        if (options.keep !== undefined) {
          activity.keep(options.keep === 'all' ? undefined : options.keep);
          const kept = activity.kept();
          s.output.result({ kept: kept ?? 'all' }, () =>
            kept ? `Events are kept for ${kept}. Older ones are gone.` : 'Events are kept for ever.',
          );
          return;
        }
        const ids = sharing.grants.list().map((g) => g.grantId);
        const grantId =
          options.grant === undefined ? undefined : needId(ids, options.grant, 'grant', 'See sluice vault grants.');
        const events = activity.list({
          limit: options.limit,
          ...(options.grantee ? { grantee: didOf(options.grantee) } : {}),
          ...(grantId ? { grantId } : {}),
          ...(options.since === undefined ? {} : { sinceMs: options.since }),
        });
        s.output.result(events, () =>
          s.output.table(
            ['when', 'what', 'with', 'about'],
            events.map((e) => [when(e.atMs), e.type, withWhom(e), about(e)]),
            'Nothing happened. What is asked of you: sluice vault requests',
          ),
        );
      });
    });
  withExamples(
    command,
    'vault activity --since 2026-01-01',
    'vault activity --grantee clinic.example --json',
    'vault activity --keep P2Y',
  );
}

function addReport(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('report <grantee>')
    .description('what an app (its DID or host) knew of you on a date: terms and records, by your own ids')
    .option('--at <date>', 'a date (its end, in UTC) or an instant; now unless given', instant('end'))
    .action(async (given: string, options: { at?: number }) => {
      const s = settings();
      await withAccount(s, 'vault', async ({ sharing, open }) => {
        const report = await sharing.report(didOf(given), options.at ?? open.platform.clock.nowMs());
        s.output.result(report, () =>
          [
            `${who(report.grantee)} at ${when(report.atMs)}: ${report.grants.length === 0 ? 'no grants' : ''}`.trimEnd(),
            ...report.grants.flatMap(describe).map(({ text, indent }) => s.output.wrap(text, indent)),
          ].join('\n'),
        );
      });
    });
  withExamples(command, 'vault report clinic.example', 'vault report clinic.example --at 2026-03-31');
}

function addReceipt(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('receipt <grant>')
    .description('the signed proof of a consent, as JSON in the structure of ISO/IEC TS 27560')
    .option('--out <file>', 'write it to this file instead')
    .action(async (given: string, options: { out?: string }) => {
      const s = settings();
      await withAccount(s, 'vault', async ({ sharing }) => {
        const ids = sharing.grants.list().map((g) => g.grantId);
        const grantId = needId(ids, given, 'grant', 'See sluice vault grants.');
        const receipt = await sharing.receipts.export(grantId);
        const text = escaped(JSON.stringify(receipt, null, 2));
        if (options.out === undefined) return s.output.result(receipt, () => text);
        writeFileSync(options.out, `${text}\n`);
        s.output.result(
          { grantId, file: options.out },
          () => `Receipt of grant ${short(grantId)} is in ${options.out}.`,
        );
      });
    });
  withExamples(command, 'vault receipt 2ef1c1', 'vault receipt 2ef1c1 --out receipt.json');
}

/** An app by its DID or its host. */
function didOf(given: string): Did {
  const did = given.startsWith('did:') ? given : `did:web:${given}`;
  if (!isDid(did)) throw new UsageError(`${plain(given)} is no host and no DID.`);
  return did;
}

const withWhom = (event: ActivityEvent): string =>
  event.type === 'release' ? [...new Set(event.releases.map((r) => who(r.grantee)))].join(', ') : who(event.grantee);

function about(event: ActivityEvent): string {
  switch (event.type) {
    case 'request':
      return plain(event.purpose);
    case 'consent':
      return event.grants.map((g) => `${schemaName(g.terms.schema)} (${short(g.grantId)})`).join(', ');
    case 'decline':
      return short(event.requestId);
    case 'acceptance':
      return event.grants.map(short).join(', ');
    case 'release':
      return event.releases
        .map((r) => `${r.puts.length} out, ${r.deletes.length} taken back (${short(r.grantId)})`)
        .join('; ');
    case 'write':
      return `${event.operation} of ${plain(event.recordId)} waits for you (${short(event.grantId)})`;
    case 'verdict':
      return `${event.accepted ? 'accepted' : 'refused'} ${event.operation} of ${plain(short(event.recordId))} (${short(event.grantId)})`;
    case 'undo':
      return `writes undone, ${counted(event.undone, 'record')} as before (${short(event.grantId)})`;
    case 'overtaken':
      return `a change gave way to another device's, made at the same time (${short(event.grantId)})`;
    case 'attestation':
      return `says that it wiped ${counted(event.wiped, 'record')}, ${event.reason} (${short(event.grantId)})`;
    default:
      return short(event.grantId);
  }
}

type Line = { readonly text: string; readonly indent: string };

function describe(grant: GrantReport): readonly Line[] {
  const { terms } = grant;
  // With what was changed of them: a grantee that got a pseudonym does not know the field.
  const fields = terms?.fields ? fieldWords(terms.fields).replaceAll(',', ', ') : 'all fields';
  const head = terms
    ? `${schemaName(terms.schema)} (${short(grant.grantId)}), ${grant.status}: ${plain(fields)}`
    : `given before the log begins (${short(grant.grantId)}), ${grant.status}`;
  const details = [
    `held ${grant.held.length}: ${idList(grant.held)}`.trimEnd(),
    ...(grant.takenBack.length > 0 ? [`taken back ${grant.takenBack.length}: ${idList(grant.takenBack)}`] : []),
    ...(grant.writes.length > 0 ? [`wrote ${idList(grant.writes.map((w) => w.recordId))}`] : []),
    ...grant.wiped.map((w) => `says that it wiped ${w.count} (${w.reason}) at ${when(w.atMs)}`),
  ];
  return [{ text: head, indent: '  ' }, ...details.map((text) => ({ text, indent: '    ' }))];
}

/** Ids in a line for people; a program takes `--json`, which has them all. */
const idList = (ids: readonly string[]): string => {
  const rest = ids.length - SHOWN_IDS;
  return ids.slice(0, SHOWN_IDS).map(plain).join(', ') + (rest > 0 ? `, and ${rest} more` : '');
};
