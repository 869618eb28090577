/** Scenario 4, large: the clinic reads six months of immunizations and observations, live, until it is revoked. */

import { countWithin } from './bundle-scan.ts';
import { waitFor } from './play-send.ts';
import { moveClocks, openAct, showNode, type Stage } from './stage.ts';

type Granted = {
  readonly status: string;
  readonly grants: readonly { readonly id: string; readonly schema: string }[];
};
type Seen = readonly {
  readonly change: {
    readonly type: string;
    readonly id: string;
    readonly record?: Record<string, unknown>;
    readonly reason?: string;
  };
  readonly at: number;
}[];
type Preview = {
  readonly nowMs: number;
  readonly items: readonly {
    readonly sentence: string;
    readonly total: number;
    readonly matching: number;
    readonly sample: readonly Record<string, unknown>[];
  }[];
};
const FIELDS = {
  immunization: ['status', 'vaccineCode', 'occurrenceDateTime'],
  observation: ['status', 'code', 'effectiveDateTime', 'valueQuantity'],
};
const MONTHS = 6;

export async function playSynchronize(stage: Stage): Promise<void> {
  const { print, claims, person, did, scan, asOfMs } = stage;
  openAct(
    stage,
    'Scenario 4, Synchronize: the clinic reads the last six months',
    'It asks for immunizations and observations of six months, some fields of each, until the person revokes. This is the sentence shown:',
  );
  const clinic = stage.all().find((p) => p.name === 'clinic.example');
  if (!clinic) throw new Error('the clinic is not there');
  // The lab result that was sent before is an observation of yesterday, too.
  const extra = 1;
  const total = { Immunization: scan.total.Immunization ?? 0, Observation: (scan.total.Observation ?? 0) + extra };

  const id = await clinic.call<string>('sync', {
    to: did,
    purpose: 'To follow your treatment',
    items: [
      {
        schema: 'fhir/immunization',
        filter: { occurrenceDateTime: { $within: `P${MONTHS}M` } },
        fields: FIELDS.immunization,
      },
      {
        schema: 'fhir/observation',
        filter: { effectiveDateTime: { $within: `P${MONTHS}M` } },
        fields: FIELDS.observation,
      },
    ],
  });
  const preview = await person.call<Preview>('preview', { id });
  // The demo's clock runs, and a record can stand on the very edge of the window: both sides count as of the preview's instant.
  const inside = {
    Immunization: countWithin(scan, 'Immunization', preview.nowMs, MONTHS),
    Observation: countWithin(scan, 'Observation', preview.nowMs, MONTHS) + extra,
  };
  const union = {
    inside: inside.Immunization + inside.Observation,
    outside: total.Immunization + total.Observation - inside.Immunization - inside.Observation,
  };
  for (const item of preview.items) print(`    “${item.sentence}”`);
  const [immunizations, observations] = preview.items;
  claims.check(
    'the preview counts what an independent scan counts, inside and outside the window',
    immunizations?.matching === inside.Immunization &&
      observations?.matching === inside.Observation &&
      union.inside > 0 &&
      union.outside > 0,
    `${immunizations?.matching} of ${immunizations?.total} immunizations and ${observations?.matching} of ${observations?.total} observations; scan ${inside.Immunization} and ${inside.Observation}, ${union.outside} outside`,
  );
  const given = await person.call<{ grantId: string; schema: string }[]>('consent', { id });
  const granted = await clinic.call<Granted>('answer', { id });
  const immunization = granted.grants.find((g) => g.schema.includes('immunization'))?.id ?? '';
  const observation = granted.grants.find((g) => g.schema.includes('observation'))?.id ?? '';
  const held = {
    i: await clinic.call<Record<string, unknown>[]>('grantRecords', { id: immunization }),
    o: await clinic.call<Record<string, unknown>[]>('grantRecords', { id: observation }),
  };
  claims.check(
    'the clinic holds exactly these',
    held.i.length === inside.Immunization && held.o.length === inside.Observation,
    `${held.i.length} immunizations, ${held.o.length} observations`,
  );
  const allowed = new Set(['_id', 'schema', ...FIELDS.immunization, ...FIELDS.observation]);
  const extraFields = [...held.i, ...held.o].flatMap((r) => Object.keys(r)).filter((f) => !allowed.has(f));
  const text = JSON.stringify(held);
  claims.check(
    'and only the chosen fields of them',
    extraFields.length === 0 && !text.includes('"subject"') && !text.includes('"patient"'),
    `${extraFields.length} other fields`,
  );

  await showNode(stage);

  await clinic.call('forget');
  const fresh = {
    resourceType: 'Immunization',
    status: 'completed',
    vaccineCode: { text: 'Influenza' },
    patient: { reference: 'urn:uuid:me' },
    occurrenceDateTime: new Date(asOfMs - 60_000).toISOString(),
  };
  const saved = await person.call<{ id: string; at: number }>('save', { schema: 'fhir/immunization', record: fresh });
  const live = await clinic.call<Seen>('changes', { id: immunization, count: 1 });
  claims.check(
    'a new immunization arrives live',
    live[0]?.change.type === 'put',
    `${((live[0]?.at ?? Number.NaN) - saved.at).toFixed(1)} ms after it was saved`,
  );
  await person.call('patch', {
    schema: 'fhir/immunization',
    id: saved.id,
    change: { occurrenceDateTime: '2001-02-03' },
  });
  const left = await clinic.call<Seen>('changes', { id: immunization, count: 2 });
  claims.check(
    'a record edited out of the window is gone at the clinic',
    left[1]?.change.type === 'delete',
    `${left[1]?.change.type} (${left[1]?.change.reason})`,
  );

  await showNode(stage);

  await playWindow(stage, clinic.call, immunization, observation);
  await playRevoke(stage, clinic.call, given, immunization);
}

/** Seven months on, with the person's devices silent: the window is empty by the clinic's own clock. */
async function playWindow(
  stage: Stage,
  call: Stage['person']['call'],
  immunization: string,
  observation: string,
): Promise<void> {
  const { claims, asOfMs } = stage;
  const later = new Date(asOfMs);
  later.setUTCMonth(later.getUTCMonth() + 7);
  await moveClocks(stage, later.getTime());
  const counts = [
    await call<unknown[]>('grantRecords', { id: immunization }),
    await call<unknown[]>('grantRecords', { id: observation }),
  ].map((r) => r.length);
  claims.check(
    'seven months later the window is empty, with nobody having sent anything',
    counts.every((c) => c === 0),
    `${counts.join(' and ')} records`,
  );
}

async function playRevoke(
  stage: Stage,
  call: Stage['person']['call'],
  given: readonly { grantId: string; schema: string }[],
  immunization: string,
): Promise<void> {
  const { claims, person, asOfMs } = stage;
  const now = new Date(asOfMs);
  now.setUTCMonth(now.getUTCMonth() + 7);
  const fresh = (text: string) => ({
    resourceType: 'Immunization',
    status: 'completed',
    vaccineCode: { text },
    patient: { reference: 'urn:uuid:me' },
    occurrenceDateTime: new Date(now.getTime() - 60_000).toISOString(),
  });
  await call('forget');
  await person.call('save', { schema: 'fhir/immunization', record: fresh('Before the revoke') });
  const before = await call<Seen>('changes', { id: immunization, count: 1 });
  claims.check('the stream goes on at the later time', before.length === 1, `${before.length} record arrived`);
  for (const { grantId } of given) await person.call('revoke', { grantId });
  const status = await waitFor(() => call<string>('grantStatus', { id: immunization }), 'revoked');
  claims.check('the revoke closes the clinic’s stream at once', status === 'revoked', `stream ${status}`);
  await person.call('save', { schema: 'fhir/immunization', record: fresh('After the revoke') });
  await person.call('synced');
  // That its copy goes is told, too; what must not come is a record.
  const after = (await call<Seen>('changes', { id: immunization, count: 100, withinMs: 700 })).filter(
    ({ change }) => change.type === 'put',
  );
  const served = await call<{ refused: boolean; detail: string }>('tryPull', { id: immunization });
  claims.check(
    'nothing new reaches the clinic after the revoke, and the node refuses its key',
    after.length === 1 && served.refused,
    `${after.length - 1} records after the revoke, node says ${served.detail}`,
  );
  await showNode(stage);
}
