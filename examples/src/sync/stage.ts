/** What the stories of this folder are played on: a network in one process, its time, and where they tell what happens. */

import { readFileSync } from 'node:fs';
import { type Account, type GrantHandle, type InboxItem, readFhirBundle } from '@sluice/client';
import { createSystemClock, type JsonObject } from '@sluice/core/base';
import { createTestNetwork, type TestNetwork, until } from '@sluice/testkit';

export type Stage = {
  readonly net: TestNetwork;
  /** Tells what happens, for whoever watches. */
  readonly tell: (line: string) => void;
  /** Lets time go by for everybody on the stage. */
  readonly passTime: (ms: number) => void;
};

/** Opens a stage at a present time of its own. Close its network when the story is over. */
export async function openStage(tell: Stage['tell'] = () => undefined, presentMs: number = Date.now()): Promise<Stage> {
  let offsetMs = presentMs - Date.now();
  const net = await createTestNetwork({ clock: createSystemClock(() => offsetMs) });
  return {
    net,
    tell,
    passTime: (ms) => {
      offsetMs += ms;
    },
  };
}

/** The request that an application made, once it has arrived at the person's device. */
export const arrived = (person: Account, requestId: string): Promise<InboxItem> =>
  until(() => person.mailbox.get(requestId));

/** Resolves when every feed of a person is as the records are, and the application has all of it. */
export async function settledAt(person: Account, grant: GrantHandle): Promise<void> {
  await until(() => person.sharing.feedsUpToDate());
  await person.synced();
  await grant.upToDate();
}

/** Imports a FHIR bundle into a person's vault. Returns how many records it held. */
export async function importBundle(person: Account, file: string): Promise<number> {
  const bundle = readFhirBundle(readFileSync(file, 'utf8'));
  if (!bundle.ok) throw new Error(`${file} cannot be imported: ${bundle.error.type}`);
  const bySchema = new Map<string, JsonObject[]>();
  for (const { schema, record } of bundle.value.records)
    bySchema.set(schema, [...(bySchema.get(schema) ?? []), record]);
  for (const [schema, records] of bySchema)
    await (await person.vault.openDatastore(schema)).saveMany(records, { force: true });
  return bundle.value.records.length;
}
