/** `sluice vault pause|resume|new-key|certificate`: what an owner decides of a grant that stands, and the proof of one that ended. */

import { writeFileSync } from 'node:fs';
import { type Account, type GrantView, SluiceError } from '@sluice/client';
import { certificateToJson } from '@sluice/core/grant';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { needId, withExamples } from '../arguments.ts';
import { schemaName, short, who } from '../output.ts';
import type { Settings } from '../settings.ts';

export function addVaultStanding(vault: Command, settings: () => Settings): void {
  const simple = (
    name: string,
    description: string,
    act: (account: Account, grantId: string) => Promise<void>,
    done: (id: string) => string,
  ): void => {
    const command = vault
      .command(`${name} <grant>`)
      .description(description)
      .action(async (given: string) => {
        const s = settings();
        await withAccount(s, 'vault', async (account) => {
          const grant = grantOf(account, given);
          await act(account, grant.grantId);
          s.output.result(
            { grantId: grant.grantId, done: name },
            () =>
              `The grant of ${schemaName(grant.terms.schema)} to ${who(grant.grantee)} ${done(short(grant.grantId))}`,
          );
        });
      });
    withExamples(command, `vault ${name} 2ef1c1`);
  };
  simple(
    'pause',
    'stop a grant for a while: nothing is sent, served or accepted',
    (account, id) => account.sharing.pause(id),
    (id) => `is paused. To go on: sluice vault resume ${id}`,
  );
  simple(
    'resume',
    'go on with a paused grant; only what has changed on the whole is sent',
    (account, id) => account.sharing.resume(id),
    () => 'goes on.',
  );
  simple(
    'new-key',
    'start a new key for a grant, as after a device of the grantee was lost',
    async (account, id) => {
      await account.sharing.rotateKey(id);
      await account.synced();
    },
    () => 'has a new key from its next change on.',
  );
  addCertificate(vault, settings);
}

function addCertificate(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('certificate <grant>')
    .description('the proof of a revoke: the node’s signed word, what was released at most, what the grantee attests')
    .option('--out <file>', 'write it to a file')
    .action(async (given: string, options: { out?: string }) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const { grantId } = grantOf(account, given);
        const certificate = await account.sharing.certificate(grantId);
        if (!certificate)
          throw new SluiceError(
            'NOT_FOUND',
            `Grant ${short(grantId)} has no certificate: it is not revoked, or its node cannot be reached now.`,
          );
        const json = certificateToJson(certificate);
        if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(json, null, 2)}\n`);
        s.output.result(options.out === undefined ? json : { written: options.out }, () =>
          options.out === undefined ? JSON.stringify(json, null, 2) : `Written to ${options.out}.`,
        );
      });
    });
  withExamples(command, 'vault certificate 2ef1c1', 'vault certificate 2ef1c1 --out clinic.json');
}

/** The grant that was meant. */
export function grantOf(account: Account, given: string): GrantView {
  const grants = account.sharing.grants.list();
  const id = needId(
    grants.map((g) => g.grantId),
    given,
    'grant',
    'List them with sluice vault grants.',
  );
  return grants.find((g) => g.grantId === id) as GrantView;
}
