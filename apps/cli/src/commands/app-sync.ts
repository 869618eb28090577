/** `sluice app sync|grants|records`: streams of a person's records, asked for and read. */

import { type Account, type GrantHandle, type RequestAnswer, SluiceError } from '@sluice/client';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { whole, withExamples } from '../arguments.ts';
import { orStopped, stillStands, untilStopped } from '../long-running.ts';
import { receivedGrant, takeUpAnswers } from '../received-grant.ts';
import { counted, plainJson, schemaName, short, when, who } from '../output.ts';
import type { Settings } from '../settings.ts';
import { type AskOptions, addAskOptions, toRequestItem } from '../terms-options.ts';
import { durationWords, fieldWords } from '../terms-words.ts';

type SyncOptions = AskOptions & {
  readonly purpose: string;
  readonly wait: number;
  readonly follow?: boolean;
  readonly acceptNarrowed?: boolean;
};

const ALL = 100_000;
/** How long `app grants` waits for the news of a grant. */
const STANDING_MS = 3000;

export function addAppSync(app: Command, settings: () => Settings): void {
  addSync(app, settings);
  addGrants(app, settings);
  addAnswers(app, settings);
  addRecords(app, settings);
}

function addSync(app: Command, settings: () => Settings): void {
  const command = addAskOptions(app.command('sync <did>'))
    .description('ask for a stream of a person’s records, wait for the consent, print what is revealed')
    .requiredOption('--schema <id>', 'schema of the records')
    .requiredOption('--purpose <text>', 'what for')
    .option('--accept-narrowed', 'take what is given even if it is less')
    .option('--wait <seconds>', 'how long the request stands', whole(1), 600)
    .option('--follow', 'stay and print every change')
    .action(async (did: string, options: SyncOptions) => {
      const s = settings();
      const item = toRequestItem(options);
      await withAccount(s, 'app', async (account) => {
        const pending = await account.sharing.request(did, {
          ...item,
          purpose: options.purpose,
          expiresInMs: options.wait * 1000,
          acceptNarrowed: options.acceptNarrowed === true,
        });
        s.output.note(`Request ${pending.id}; waiting up to ${options.wait} s.`);
        await showAnswer(s, await orStopped(s, pending.answer(), stillStands(pending.id)), options.follow);
      });
    });
  withExamples(
    command,
    `app sync DID --schema fhir/immunization --filter '{"occurrenceDateTime":{"$within":"P6M"}}' --fields vaccineCode,occurrenceDateTime --purpose 'To follow up'`,
    "app sync DID --schema fhir/patient --fields name --optional telecom --transform birthDate=year --until 2027-01-01 --retention P1Y --purpose 'A study'",
    "app sync DID --schema social/post --purpose 'To show fewer useless ads' --follow",
  );
}

/** Prints what the answer to a request for a stream reveals. Errors: DECLINED, EXPIRED. */
export async function showAnswer(s: Settings, answer: RequestAnswer, isFollowed = false): Promise<void> {
  if (answer.status !== 'granted') throw new SluiceError(answer.status === 'declined' ? 'DECLINED' : 'EXPIRED');
  const [offered, open] = [
    answer.grants.filter((grant) => grant.status() === 'offered'),
    answer.grants.filter((grant) => grant.status() !== 'offered'),
  ];
  for (const grant of offered)
    s.output.note(
      `Grant ${short(grant.id)} is for less than was asked: ${plainJson(grant.terms)}\nTo take it: sluice app accept ${short(grant.id)}; to leave it: sluice app drop ${short(grant.id)}`,
    );
  for (const grant of open) {
    await grant.upToDate();
    await printGrant(s, grant);
  }
  if (isFollowed && open.length > 0) await follow(s, open);
}

function addGrants(app: Command, settings: () => Settings): void {
  const command = app
    .command('grants')
    .description('grants received, newest first')
    .action(async () => {
      const s = settings();
      await withAccount(s, 'app', async (account) => {
        await takeUpAnswers(account, s);
        const received = [...account.sharing.grants.received()].sort((a, b) => b.receivedAtMs - a.receivedAtMs);
        const grants = await Promise.all(
          received.map(async (g) => ({
            grantId: g.grantId,
            owner: g.owner,
            ...(await standingOf(account, g.grantId)),
            schema: g.terms.schema,
            filter: g.terms.filter,
            fields: g.terms.fields ?? ('all' as const),
            duration: g.terms.duration,
            received: when(g.receivedAtMs),
          })),
        );
        s.output.result(grants, () =>
          s.output.table(
            ['grant', 'owner', 'status', 'last heard of', 'received', 'how long', 'what', 'fields', 'filter'],
            grants.map((g) => [
              short(g.grantId),
              who(g.owner),
              g.status,
              g.lastSeen ?? '',
              g.received,
              durationWords(g.duration),
              schemaName(g.schema),
              fieldWords(g.fields),
              plainJson(g.filter),
            ]),
            'No grants. To ask for one: sluice app sync DID --schema ID --purpose TEXT',
          ),
        );
      });
    });
  withExamples(command, 'app grants', 'app grants --json');
}

/** How a grant stands, and when the owner's side was last heard of, by what the node says if it can be reached. */
async function standingOf(account: Account, grantId: string): Promise<{ status: string; lastSeen?: string }> {
  const grant = await account.sharing.grants.open(grantId);
  await grant.upToDate(STANDING_MS).catch((cause: unknown) => {
    if (!(cause instanceof SluiceError)) throw cause;
  });
  const { atMs } = grant.lastSeen();
  return { status: grant.status(), ...(atMs === undefined ? {} : { lastSeen: when(atMs) }) };
}

function addAnswers(app: Command, settings: () => Settings): void {
  const answer = (verb: 'accept' | 'drop', what: string, done: string): void => {
    const command = app
      .command(`${verb} <grant>`)
      .description(what)
      .action(async (given: string) => {
        const s = settings();
        await withAccount(s, 'app', async (account) => {
          const grant = await receivedGrant(account, s, given);
          await grant[verb]();
          s.output.result({ grantId: grant.id, status: grant.status() }, () => done);
        });
      });
    withExamples(command, `app ${verb} 2ef1c1`);
  };
  answer(
    'accept',
    'take a grant that is for less than was asked',
    'Accepted. Records come once the person’s side knows.',
  );
  answer('drop', 'give a grant up and wipe what it gave', 'Dropped; the copy here is wiped.');
}

function addRecords(app: Command, settings: () => Settings): void {
  const command = app
    .command('records <grant>')
    .description('what a grant reveals now')
    .option('--follow', 'stay and print every change')
    .action(async (given: string, options: { follow?: boolean }) => {
      const s = settings();
      await withAccount(s, 'app', async (account) => {
        const grant = await receivedGrant(account, s, given);
        await grant.upToDate(15_000).catch((cause: unknown) => {
          if (!(cause instanceof SluiceError)) throw cause;
          s.output.note(cause.message);
        });
        await printGrant(s, grant);
        if (options.follow) await follow(s, [grant]);
      });
    });
  withExamples(command, 'app records 2ef1c1', 'app records 2ef1c1 --follow --json');
}

async function printGrant(s: Settings, grant: GrantHandle): Promise<void> {
  const records = await grant.datastore().getMany({}, { limit: ALL });
  s.output.result({ grantId: grant.id, status: grant.status(), records }, () =>
    [
      `grant ${short(grant.id)} is ${grant.status()}, ${counted(records.length, 'record')}`,
      ...records.map(plainJson),
    ].join('\n'),
  );
}

async function follow(s: Settings, grants: readonly GrantHandle[]): Promise<void> {
  for (const grant of grants) {
    grant.changes((change) =>
      s.output.result(
        { event: change.type, grantId: grant.id, id: change.id, record: change.record, reason: change.reason },
        () => `${change.type} ${change.id} ${change.record ? plainJson(change.record) : (change.reason ?? '')}`,
      ),
    );
    grant.onStatus((status) =>
      s.output.result({ event: 'status', grantId: grant.id, status }, () => `grant ${short(grant.id)} is ${status}`),
    );
  }
  s.output.result({ ready: true }, () => 'ready');
  await untilStopped(s);
}
