/** Scenario 4, small: one edit of a phone number reaches three apps; an ad network reads a live stream of posts and preferences. */

import { openAct, showNode, type Stage } from './stage.ts';

type Granted = {
  readonly status: string;
  readonly grants: readonly { readonly id: string; readonly schema: string }[];
};
type Seen = readonly {
  readonly change: { readonly type: string; readonly record?: Record<string, unknown> };
  readonly at: number;
}[];
const APPS = ['bank.example', 'school.example', 'courier.example'] as const;

export async function playFanOut(stage: Stage): Promise<void> {
  const { claims, person, did } = stage;
  openAct(
    stage,
    'Scenario 4, Synchronize: one phone number, three apps',
    'A bank, a school and a courier may read one field of one contact. The person edits it once.',
  );
  const me = await person.call<{ id: string }>('save', {
    schema: 'social/contact',
    record: { name: 'Me', firstName: 'Ada', lastName: 'Example', email: 'ada@example.org', mobile: '+31 6 1111 1111' },
  });
  const readers: { host: string; call: Stage['person']['call']; grant: string }[] = [];
  for (const host of APPS) {
    const app = await stage.app(host);
    const id = await app.call<string>('sync', {
      to: did,
      items: [{ schema: 'social/contact', filter: { name: 'Me' }, fields: ['mobile'] }],
      purpose: 'To reach you',
    });
    await person.call('consent', { id });
    const granted = await app.call<Granted>('answer', { id });
    readers.push({ host, call: app.call, grant: granted.grants[0]?.id ?? '' });
  }
  for (const reader of readers) await reader.call('forget');
  const { at } = await person.call<{ at: number }>('patch', {
    schema: 'social/contact',
    id: me.id,
    change: { mobile: '+31 6 2222 2222' },
  });
  const times: number[] = [];
  for (const reader of readers) {
    const seen = await reader.call<Seen>('changes', { id: reader.grant, count: 1 });
    if (seen[0]?.change.record?.mobile === '+31 6 2222 2222') times.push(seen[0].at - at);
  }
  claims.check(
    'one edit of the phone number reaches all three apps, live',
    times.length === 3,
    times.map((t, i) => `${APPS[i]} ${t.toFixed(1)} ms`).join(', '),
  );
  const copies = await Promise.all(
    readers.map((r) => r.call<Record<string, unknown>[]>('grantRecords', { id: r.grant })),
  );
  const ids = new Set(copies.map((c) => c[0]?._id));
  const fields = new Set(copies.flatMap((c) => c.flatMap((r) => Object.keys(r))));
  claims.check(
    'no two apps can join their copies by id',
    ids.size === 3 && !ids.has(me.id),
    `${ids.size} ids for one record`,
  );
  claims.check(
    'each app sees the fields it asked for and no others',
    [...fields].every((f) => ['_id', 'schema', 'mobile'].includes(f)),
    [...fields].join(', '),
  );

  await showNode(stage);

  openAct(
    stage,
    'Scenario 4, Synchronize: an ad network reads along',
    'It may read posts and advertising preferences. The person writes a post, and then changes a preference.',
  );
  const ads = await stage.app('ads.example');
  const wishes = await person.call<{ id: string }>('save', {
    schema: 'preferences/advertising',
    record: { name: 'Advertising', interests: ['cycling'], optOut: [] },
  });
  const id = await ads.call<string>('sync', {
    to: did,
    items: [{ schema: 'social/post' }, { schema: 'preferences/advertising' }],
    purpose: 'To show you fewer useless ads',
  });
  await person.call('consent', { id });
  const granted = await ads.call<Granted>('answer', { id });
  await ads.call('forget');
  const posts = granted.grants.find((g) => g.schema.includes('post'))?.id ?? '';
  const preferences = granted.grants.find((g) => g.schema.includes('advertising'))?.id ?? '';
  const post = await person.call<{ at: number }>('save', {
    schema: 'social/post',
    record: { name: 'Ride', content: 'A long ride along the dike', createdAt: new Date(stage.asOfMs).toISOString() },
  });
  const seen = await ads.call<Seen>('changes', { id: posts, count: 1 });
  const change = await person.call<{ at: number }>('patch', {
    schema: 'preferences/advertising',
    id: wishes.id,
    change: { interests: ['sailing'], optOut: ['gambling'] },
  });
  const changed = await ads.call<Seen>('changes', { id: preferences, count: 1 });
  claims.check(
    'a post reaches the ad network live',
    seen[0]?.change.record?.content === 'A long ride along the dike',
    `${((seen[0]?.at ?? Number.NaN) - post.at).toFixed(1)} ms after it was saved`,
  );
  claims.check(
    'a changed preference reaches it live, too',
    JSON.stringify(changed[0]?.change.record?.interests) === '["sailing"]',
    `${((changed[0]?.at ?? Number.NaN) - change.at).toFixed(1)} ms, interests ${JSON.stringify(changed[0]?.change.record?.interests)}`,
  );
  await showNode(stage);
}
