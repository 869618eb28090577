/** Scenario 2: the clinic asks for a driving licence and is answered; another request is declined, a third one nobody answers. */

import { openAct, showNode, type Stage } from './stage.ts';

type Answer = {
  readonly status: string;
  readonly records?: readonly { readonly _id: string; readonly credentialData?: unknown }[];
  readonly rejected?: readonly unknown[];
};

export async function playRequests(stage: Stage): Promise<void> {
  const { claims, person, did } = stage;
  openAct(
    stage,
    'Scenario 2, Request: the clinic asks for a driving licence',
    'The person looks at what fits and shares one. A second request is declined, and a third one nobody answers.',
  );
  const clinic = stage.all().find((p) => p.name === 'clinic.example');
  if (!clinic) throw new Error('the clinic is not there');
  const licence = {
    name: 'Driving licence',
    credentialSchema: 'https://schemas.sluice.example/credential/driving-licence/v0.1.0/schema.json',
    licenceNumber: 'DL-4471-9920',
    country: 'NL',
    category: 'B',
    issuedOn: '2015-05-01',
    expiresOn: '2035-05-01',
  };
  await person.call('save', { schema: 'credential/driving-licence', record: licence });
  await person.call('save', {
    schema: 'credential/driving-licence',
    record: { ...licence, licenceNumber: 'DL-OLD-0001', country: 'BE' },
  });

  const id = await clinic.call<string>('request', {
    to: did,
    request: {
      requestSchema: 'credential/driving-licence',
      filter: { country: 'NL' },
      purpose: 'To register you at the desk',
    },
  });
  await person.call('message', { id });
  const matching = await person.call<{ _id: string }[]>('matching', { id });
  claims.check(
    'the person sees which records fit the request',
    matching.length === 1,
    `${matching.length} of 2 licences`,
  );
  await person.call('share', { id, records: matching.map((r) => r._id) });
  const answer = await clinic.call<Answer>('answer', { id });
  claims.check(
    'the clinic receives exactly the record that was picked, checked against its own request',
    answer.status === 'shared' && answer.records?.length === 1 && answer.rejected?.length === 0,
    `${answer.status}, ${answer.records?.length ?? 0} record`,
  );

  await showNode(stage);

  const second = await clinic.call<string>('request', {
    to: did,
    request: { requestSchema: 'social/contact', purpose: 'To call your family' },
  });
  await person.call('message', { id: second });
  await person.call('decline', { id: second });
  const declined = await clinic.call<Answer>('answer', { id: second });
  claims.check(
    'another request is declined, and the clinic learns only that',
    declined.status === 'declined',
    declined.status,
  );

  const third = await clinic.call<string>('request', {
    to: did,
    request: { requestSchema: 'note', purpose: 'Never answered', expiresInMs: 1500 },
  });
  const expired = await clinic.call<Answer>('answer', { id: third });
  claims.check(
    'a request that nobody answers expires by the requester’s own clock',
    expired.status === 'expired',
    expired.status,
  );
}
