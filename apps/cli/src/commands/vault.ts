/** `sluice vault ...`: the commands of a person, by what they are about. */

import type { Command } from 'commander';
import type { Settings } from '../settings.ts';
import { addVaultActivity } from './vault-activity.ts';
import { addVaultConflicts } from './vault-conflicts.ts';
import { addVaultAgents } from './vault-agents.ts';
import { addVaultGrants } from './vault-grants.ts';
import { addVaultImport } from './vault-import.ts';
import { addVaultInbox } from './vault-inbox.ts';
import { addVaultLife } from './vault-life.ts';
import { addVaultRecords } from './vault-records.ts';
import { addVaultRequests } from './vault-requests.ts';
import { addVaultStanding } from './vault-standing.ts';
import { addVaultWrites } from './vault-writes.ts';

/** Adds them in the order in which help lists them. */
export function addVaultCommands(vault: Command, settings: () => Settings): void {
  for (const add of [
    addVaultLife,
    addVaultImport,
    addVaultRecords,
    addVaultConflicts,
    addVaultInbox,
    addVaultRequests,
    addVaultGrants,
    addVaultStanding,
    addVaultWrites,
    addVaultAgents,
    addVaultActivity,
  ])
    add(vault, settings);
}
