/** Scenario 1: a clinic sends a lab result from its own, centralized records; the person accepts one and declines another. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LEAKED_CANARY } from './canary.ts';
import { dim } from './claims.ts';
import { scanForWords } from '@sluice/testkit';
import { openAct, showNode, type Stage } from './stage.ts';

export async function playSend(stage: Stage): Promise<void> {
  const { print, claims, person, did, scan } = stage;
  openAct(
    stage,
    'The person brings health records',
    'A file of health records is imported into the person’s Vault, on the person’s own device.',
  );
  const report = await person.call<{ imported: number; problems: number; schemas: [string, number][] }>(
    'importBundle',
    { file: stage.bundleFile },
  );
  print(dim(`  ${report.schemas.map(([s, n]) => `${n} ${s}`).join(', ')}; ${report.problems} could not be read`));
  const counts = new Map(report.schemas);
  const immunizations = await person.call<number>('count', { schema: 'fhir/immunization' });
  const observations = await person.call<number>('count', { schema: 'fhir/observation' });
  const expected = `${scan.total.Immunization ?? 0} and ${scan.total.Observation ?? 0}`;
  claims.check(
    'the import holds what an independent scan of the bundle counts (immunizations and observations)',
    `${immunizations} and ${observations}` === expected,
    `${immunizations} and ${observations}, scan ${expected}`,
  );
  await person.call('importBundle', { file: stage.bundleFile });
  const again = await person.call<number>('count', { schema: 'fhir/immunization' });
  claims.check(
    'importing again updates instead of doubling',
    again === immunizations && counts.size > 0,
    `${again} immunizations after the second import`,
  );

  await showNode(stage);

  openAct(
    stage,
    'Scenario 1, Send: the clinic sends a lab result',
    'The clinic has results in its own system. It sends one, which the person accepts, and another, which the person declines.',
  );
  const clinic = await stage.app('clinic.example');
  const records = join(stage.directory, 'clinic-system.json');
  const result = (value: number) => ({
    schema: 'fhir/observation',
    resourceType: 'Observation',
    status: 'final',
    code: { text: `Haemoglobin ${LEAKED_CANARY}` },
    effectiveDateTime: new Date(stage.asOfMs - 3600_000).toISOString(),
    valueQuantity: { value, unit: 'g/dL' },
  });
  writeFileSync(records, JSON.stringify({ 'order-1': result(13.9), 'order-2': result(9.1) }));
  print(dim(`    clinic’s own system, in clear: ${JSON.stringify({ 'order-1': result(13.9) }).slice(0, 100)}...`));
  const sendOrder = (order: string, message: string) =>
    clinic.call<{ id: string }>('sendFromSystem', { to: did, file: records, order, message });
  const first = await sendOrder('order-1', 'Your lab result');
  await showNode(stage);
  const item = await person.call<{ from: string; message: string; type: string }>('message', { id: first.id });
  claims.check(
    'the message is shown with a verified sender',
    item.from === 'did:web:clinic.example' && item.type === 'inbox/type/dataSend',
    `${item.from}: “${item.message}”`,
  );
  const words = [LEAKED_CANARY, 'Haemoglobin', 'Your lab result', 'clinic.example'];
  const atNode = scanForWords(`${stage.directory}/node`, words);
  claims.check(
    'what the node stored of it shows neither words nor sender',
    atNode.hits.length === 0,
    `${atNode.hits.length} hits in ${atNode.bytes} bytes of ${atNode.files} files`,
  );
  const accepted = await person.call<{ saved: { id: string }[]; failed: unknown[] }>('accept', { id: first.id });
  const saved = await person.call<{ sourceApplication: string; _id: string }[]>('records', {
    schema: 'fhir/observation',
    filter: { sourceApplication: 'did:web:clinic.example' },
  });
  claims.check(
    'accepting saves the record into the right datastore, under an id that the sender did not choose',
    accepted.saved.length === 1 && saved.length === 1,
    `${saved.length} record of ${saved[0]?.sourceApplication}`,
  );
  claims.check(
    'the clinic learns that it was accepted',
    (await waitFor(() => clinic.call<string>('sentStatus', { id: first.id }), 'accepted')) === 'accepted',
    await clinic.call<string>('sentStatus', { id: first.id }),
  );

  await showNode(stage);
  const second = await sendOrder('order-2', 'A second result');
  await person.call('message', { id: second.id });
  await person.call('decline', { id: second.id });
  const after = await person.call<unknown[]>('records', {
    schema: 'fhir/observation',
    filter: { sourceApplication: 'did:web:clinic.example' },
  });
  const told = await waitFor(() => clinic.call<string>('sentStatus', { id: second.id }), 'declined');
  claims.check(
    'declining saves nothing and tells the clinic',
    after.length === 1 && told === 'declined',
    `${after.length} record kept, clinic sees “${told}”`,
  );
}

/** Asks until the answer is the one expected, for at most 10 seconds; gives back the last answer. */
export async function waitFor<T>(ask: () => Promise<T>, wanted: T): Promise<T> {
  const end = Date.now() + 10_000;
  for (;;) {
    const value = await ask();
    if (value === wanted || Date.now() > end) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
