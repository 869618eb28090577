/** `sluice vault receipt`: what proves a consent. */

import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { needId, withExamples } from '../arguments.ts';
import { short } from '../output.ts';
import type { Settings } from '../settings.ts';

export function addVaultActivity(vault: Command, settings: () => Settings): void {
  addReceipt(vault, settings);
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

/** The same JSON, with every character escaped that a terminal obeys or hides: what is shown is a stranger's words, and must stay their very words. */
const escaped = (json: string): string =>
  json.replace(/[^\P{C}\n]/gu, (c) =>
    Array.from({ length: c.length }, (_, i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  );
