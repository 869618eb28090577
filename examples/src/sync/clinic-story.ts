/** The clinic's story on one bundle: ask, agree, read, live edit, write back, verdicts, undo, the end and its proof. */

import { readFileSync } from 'node:fs';
import { SluiceError } from '@sluice/client';
import { until } from '@sluice/testkit';
import { countWithin, scanBundle } from '../demo/bundle-scan.ts';
import {
  agree,
  askForSixMonths,
  confirmResult,
  endTreatment,
  openRecords,
  review,
  takeBack,
  writersOf,
  writeResult,
} from './clinic.ts';
import { arrived, importBundle, openStage, settledAt, type Stage } from './stage.ts';

/** Yearly and half-yearly visits would lie on the window's very edge with whole days, and leave it while the story is played. */
const HALF_A_DAY_MS = 12 * 3600 * 1000;

/** What happened, counted. What it should be is counted from the file itself, without any code of Sluice. */
export type ClinicFacts = {
  readonly sentences: readonly string[];
  readonly read: readonly [observations: number, immunizations: number];
  readonly inTheFile: readonly [observations: number, immunizations: number];
  readonly verdicts: readonly (string | undefined)[];
  readonly statusAtThePatient: unknown;
  readonly undone: number;
  readonly leftAtThePatient: number;
  readonly atTheClinic: readonly [status: string, held: number];
  readonly certificate: { readonly held: number; readonly wiped: number; readonly servedAfter: number };
};

/** Plays the story at half a day after the bundle's newest record. */
export async function playClinic(file: string, tell: Stage['tell'] = () => undefined): Promise<ClinicFacts> {
  const scan = scanBundle(readFileSync(file, 'utf8'));
  const presentMs = scan.newestMs + HALF_A_DAY_MS;
  const stage = await openStage(tell, presentMs);
  try {
    return await play(stage, file, [
      countWithin(scan, 'Observation', presentMs, 6),
      countWithin(scan, 'Immunization', presentMs, 6),
    ]);
  } finally {
    await stage.net.close();
  }
}

async function play({ net, tell }: Stage, file: string, inTheFile: ClinicFacts['inTheFile']): Promise<ClinicFacts> {
  const { account: patient } = await net.person('patient');
  const { account: clinic } = await net.app('https://clinic.example');
  tell(`the patient's vault holds ${await importBundle(patient, file)} records`);

  const pending = await askForSixMonths(clinic, patient.did);
  await arrived(patient, pending.id);
  const sentences: string[] = [];
  await agree(patient, pending.id, (sentence, matching) => {
    sentences.push(sentence);
    tell(`the patient reads: ${sentence} ${matching} match now`);
    return true;
  });
  const records = await openRecords(pending);
  if (!records) throw new Error('the patient agreed, and no grant came');
  const { observations, immunizations } = records;
  const read = [await observations.datastore().count(), await immunizations.datastore().count()] as const;
  tell(
    `the clinic reads ${read[0]} observations and ${read[1]} immunizations; the file has ${inTheFile.join(' and ')}`,
  );

  const verdicts: ClinicFacts['verdicts'][number][] = [];
  const note = (what: string, code: string | undefined): void => {
    verdicts.push(code);
    tell(`the clinic ${what}: ${code}`);
  };
  const at = new Date(net.clock.nowMs()).toISOString();
  const result = { text: 'Haemoglobin', value: 13.9, unit: 'g/dL', at };
  const first = await writeResult(observations, result);
  const shown = await observations.datastore().get(first.id);
  tell(`the clinic has written a result; it sees it as ${String(shown?.status)}, ${observations.pending()[0]?.state}`);
  await until(() => patient.sharing.writes.list().length === 1);
  const stopReview = review(patient, (write) => !JSON.stringify(write.set).includes('A guess'));
  note('writes a result', codeOf(await first.verdict()));

  note('confirms it', codeOf(await confirmResult(observations, first.id)));
  note('confirms it again', codeOf(await confirmResult(observations, first.id)));

  const unwanted = await writeResult(observations, { ...result, text: 'A guess' });
  note('writes what the patient does not want', codeOf(await unwanted.verdict()));
  const old = writeResult(observations, { ...result, at: '2001-01-01' });
  note('writes of long ago, outside of the grant', await refusalOf(old));
  stopReview();

  const vault = await patient.vault.openDatastore('fhir/observation');
  const written = await until(() => vault.getOne({ 'code.text': 'Haemoglobin', effectiveDateTime: at }));
  const writers = await writersOf(patient, String(written._id));
  tell(`the patient sees who wrote the status of the result: ${writers.status}`);
  const undone = await takeBack(patient, observations.id);
  await settledAt(patient, observations);
  const leftAtThePatient = await vault.count({ 'code.text': 'Haemoglobin', effectiveDateTime: at });
  tell(`the patient takes back what the clinic wrote: ${undone} record, ${leftAtThePatient} left`);

  await until(() => observations.pending().length === 0);
  const ended = await endTreatment(patient, observations.id);
  if (ended === 'pending') throw new Error('the node is there, and the revoke did not reach it');
  await until(() => observations.status() === 'revoked');
  const proof = await until(async () => {
    const certificate = await patient.sharing.certificate(observations.id);
    return certificate?.attestation ? certificate : undefined;
  });
  const wiped = proof.attestation?.wiped ?? -1;
  await vault.save({ ...written, _id: 'later', code: { text: 'Later' } }, { force: true });
  await until(() => patient.sharing.feedsUpToDate());
  const held = await observations.datastore().count();
  const { feedHead, servedTo = 0 } = proof.acknowledgement;
  tell(`the grant is revoked: the node served up to entry ${servedTo} of ${feedHead}; the clinic has wiped ${wiped}`);
  return {
    sentences,
    read,
    inTheFile,
    verdicts,
    statusAtThePatient: written.status,
    undone,
    leftAtThePatient,
    atTheClinic: [observations.status(), held],
    certificate: { held: proof.held, wiped, servedAfter: servedTo - feedHead },
  };
}

const codeOf = (verdict: { accepted: boolean; code?: string } | 'unchanged'): string | undefined => {
  if (verdict === 'unchanged') return verdict;
  return verdict.accepted ? 'accepted' : verdict.code;
};

/** What a write is refused with at once, by the clinic's own software. */
const refusalOf = (write: Promise<unknown>): Promise<string> =>
  write.then(
    () => 'taken',
    (cause: unknown) => {
      if (cause instanceof SluiceError) return cause.code;
      throw cause;
    },
  );
