/** `sluice vault grants|sessions|revoke`: what was granted, and how it ends. */

import { type Account, SluiceError } from '@sluice/client';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { findId, withExamples } from '../arguments.ts';
import { confirmed } from '../ask.ts';
import { counted, plain, plainJson, schemaName, short, when, who } from '../output.ts';
import type { Settings } from '../settings.ts';
import { durationWords, fieldWords } from '../terms-words.ts';

export function addVaultGrants(vault: Command, settings: () => Settings): void {
  addGrants(vault, settings);
  addSessions(vault, settings);
  addRevoke(vault, settings);
}

function addGrants(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('grants')
    .description('what you granted, newest first')
    .action(async () => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const grants = [...account.sharing.grants.list()]
          .sort((a, b) => b.givenAtMs - a.givenAtMs)
          .map((g) => ({
            grantId: g.grantId,
            grantee: g.grantee,
            schema: g.terms.schema,
            filter: g.terms.filter,
            fields: g.terms.fields ?? ('all' as const),
            duration: g.terms.duration,
            status: g.status,
            given: when(g.givenAtMs),
          }));
        s.output.result(grants, () =>
          s.output.table(
            ['grant', 'to', 'status', 'how long', 'given', 'what', 'fields', 'filter'],
            grants.map((g) => [
              short(g.grantId),
              who(g.grantee),
              g.status,
              durationWords(g.duration),
              g.given,
              schemaName(g.schema),
              fieldWords(g.fields),
              plainJson(g.filter),
            ]),
            'You granted nothing. What is asked of you: sluice vault requests',
          ),
        );
        if (account.sharing.grants.list().some((g) => g.isOpen))
          for (const line of standing(account)) s.output.note(line);
      });
    });
  withExamples(command, 'vault grants', 'vault grants --json');
}

/** Who keeps the grants alive, and what waits. */
function standing({ agents, sharing }: Account): readonly string[] {
  const up = agents.list().filter((a) => a.status === 'active');
  const { writes, feeds, lastAtMs } = sharing.waiting();
  return [
    ...up.map(
      (a) =>
        `Always-on agent “${plain(a.name)}”, last heard of ${a.seenAtMs === undefined ? 'never' : when(a.seenAtMs)}.`,
    ),
    ...(up.length === 0 ? ['No always-on agent: grants are live only while one of your devices is online.'] : []),
    ...(lastAtMs === undefined ? [] : [`Last brought up to date ${when(lastAtMs)}.`]),
    ...(feeds.length === 0
      ? []
      : [`${counted(feeds.length, 'grant')} not up to date: ${feeds.map(short).join(', ')}.`]),
    ...(writes === 0 ? [] : [`${counted(writes, 'write')} of apps for you to answer: sluice vault writes.`]),
  ];
}

function addSessions(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('sessions')
    .description('apps that are let into their silos')
    .action(async () => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const sessions = account.connect.given();
        s.output.result(sessions, () =>
          s.output.table(
            ['session', 'app', 'silo', 'status', 'until'],
            sessions.map((x) => [short(x.id), who(x.app), plain(x.context), x.status, when(x.expiresAtMs)]),
            'No app has a silo with you. An app asks with a link: sluice vault approve LINK',
          ),
        );
      });
    });
  withExamples(command, 'vault sessions');
}

function addRevoke(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('revoke <what>')
    .description('end a grant or a session (an id), or every session and grant of an app (its DID or host)')
    .option('--yes', 'do not ask')
    .action(async (given: string, options: { yes?: boolean }) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const ending = findEnding(account, given);
        await confirmed(s.io, `End ${ending.words}? The app has to ask again to get it back.`, options.yes);
        const ended = await ending.end();
        s.output.result({ ended }, () => `Ended ${ending.words}. What was delivered before stays delivered.`);
      });
    });
  withExamples(command, 'vault revoke 2ef1c1', 'vault revoke clinic.example --yes');
}

type Ending = { readonly words: string; readonly end: () => Promise<number> };

function findEnding(account: Account, given: string): Ending {
  const grants = account.sharing.grants.list();
  const sessions = account.connect.given();
  const id = findId([...grants.map((g) => g.grantId), ...sessions.map((x) => x.id)], given);
  const session = sessions.find((x) => x.id === id);
  const grant = grants.find((g) => g.grantId === id);
  if (session) {
    if (session.status !== 'active')
      throw new SluiceError('REVOKED', `Session ${short(session.id)} is ${session.status} already.`);
    return {
      words: `the session of ${who(session.app)} in “${plain(session.context)}”`,
      end: async () => {
        await account.connect.closeSession(session.id);
        return 1;
      },
    };
  }
  if (grant) {
    if (!grant.isOpen) throw new SluiceError('REVOKED', `Grant ${short(grant.grantId)} is ${grant.status} already.`);
    return {
      words: `the grant of ${schemaName(grant.terms.schema)} to ${who(grant.grantee)}`,
      end: async () => {
        await account.sharing.revoke(grant.grantId);
        return 1;
      },
    };
  }
  const app = given.startsWith('did:') ? given : `did:web:${given}`;
  const itsGrants = grants.filter((g) => g.isOpen && g.grantee === app);
  const itsSessions = sessions.filter((x) => x.status === 'active' && x.app === app);
  if (itsGrants.length + itsSessions.length === 0)
    throw new SluiceError(
      'NOT_FOUND',
      `There is no active grant, session or app ${plain(given)}. See sluice vault grants and sluice vault sessions.`,
    );
  return {
    words: `${counted(itsGrants.length, 'grant')} and ${counted(itsSessions.length, 'session')} of ${who(app)}`,
    end: async () => {
      for (const { grantId } of itsGrants) await account.sharing.revoke(grantId);
      return itsGrants.length + (itsSessions.length > 0 ? await account.connect.revokeApp(app) : 0);
    },
  };
}
