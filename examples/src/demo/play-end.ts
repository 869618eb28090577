/** The end: the other grants still live, the twelve words bring everything back, and the node has seen nothing. */

import { join } from 'node:path';
import { LEAKED_CANARY } from './canary.ts';
import { dim, heading } from './claims.ts';
import { scanForWords } from '@sluice/testkit';
import type { Stage } from './stage.ts';

type Seen = readonly { readonly change: { readonly record?: Record<string, unknown> } }[];

export async function playEnd(stage: Stage): Promise<void> {
  const { print, claims, person } = stage;
  print(heading('\nWhat is left'));
  const bank = stage.all().find((p) => p.name === 'bank.example');
  const me = await person.call<{ _id: string }[]>('records', { schema: 'social/contact', filter: { name: 'Me' } });
  await bank?.call('forget');
  const grantId = await bank?.call<string>('onlyGrant');
  await person.call('patch', { schema: 'social/contact', id: me[0]?._id, change: { mobile: '+31 6 3333 3333' } });
  const seen = await bank?.call<Seen>('changes', { id: grantId, count: 1 });
  claims.check(
    'other grants did not notice the revoke',
    seen?.[0]?.change.record?.mobile === '+31 6 3333 3333',
    `the bank has ${String(seen?.[0]?.change.record?.mobile)}`,
  );

  const counts = async (who: Stage['person']): Promise<string> =>
    `${await who.call<number>('count', { schema: 'fhir/immunization' })}/${await who.call<number>('count', { schema: 'fhir/observation' })}/${await who.call<number>('count', { schema: 'social/contact' })}`;
  const here = await counts(person);
  const later = new Date(stage.asOfMs);
  later.setUTCMonth(later.getUTCMonth() + 7);
  const phone = await stage.startPerson('new phone', join(stage.directory, 'phone'), later.getTime());
  await phone.call('restore', { phrase: stage.phrase });
  const there = await counts(phone);
  claims.check(
    'twelve words and the node’s address bring everything back on a new device',
    here === there,
    `${there} immunizations, observations, contacts`,
  );

  print(heading('\nWhat the node keeps'));
  const words = [
    LEAKED_CANARY,
    'opal-9043-hidden',
    'DL-4471-9920',
    '+31 6 2222 2222',
    'A long ride along the dike',
    'ada@example.org',
    'Haemoglobin',
    'occurrenceDateTime',
    'Immunization',
    'social/contact',
    ...stage.scan.words,
  ];
  const { hits, bytes, files } = scanForWords(join(stage.directory, 'node'), words);
  print(
    dim(`  ${files} files, ${bytes} bytes, searched for ${words.length} words as UTF-8, hex, base64 and base64url`),
  );
  claims.check(
    'no word of the person is in the node’s database, write-ahead log or log files',
    hits.length === 0,
    hits.length === 0
      ? `0 hits for ${words.length} words in ${bytes} bytes`
      : hits
          .slice(0, 3)
          .map((h) => `${h.word} as ${h.form} in ${h.file}`)
          .join(', '),
  );
}
