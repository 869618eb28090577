import type { Account } from '@sluice/client';
import { createSystemClock, systemRandom } from '@sluice/core/base';
import { hpkeKeyPairFromSecret, openHpke, sealHpke, sha256 } from '@sluice/core/crypto';
import { createMessageId } from '@sluice/core/message';
import { decodeHeader, type Page, type PageEntry } from '@sluice/core/wire';
import type { PageQuery, Storage } from '@sluice/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';
import {
  documentOf,
  type Hosts,
  identityOf,
  inboxAt,
  publishing,
  leave,
  reopenOn,
  sealTo,
  senderOf,
  thief,
} from './messaging-fixture.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const INFO = utf8('sluice/msg/1');
const DAY = 24 * 3600 * 1000;

describe('an inbox', () => {
  let net: TestNetwork;
  let owner: Persona;
  let clinic: Persona;
  let offsetMs: number;
  let lie: ((page: Page, query: PageQuery) => Page) | undefined;
  let refused: string[];
  let drains: string[][];

  beforeEach(async () => {
    offsetMs = 0;
    lie = undefined;
    refused = [];
    drains = [];
    net = await createTestNetwork({
      clock: createSystemClock(() => offsetMs),
      wrapStorage: (storage: Storage): Storage => ({
        ...storage,
        push: (job) => {
          const types = job.parts.map(({ type }) => type);
          if (types.includes('drain')) drains.push(types);
          return storage.push(job);
        },
        readPage: (query) => {
          const page = storage.readPage(query);
          return lie && query.log.type === 'inbox' ? lie(page, query) : page;
        },
      }),
    });
    owner = await net.person('owner');
    clinic = await net.app('https://clinic.example');
    owner.account.mailbox.onRejected((reason) => refused.push(reason));
  });
  afterEach(() => net.close());

  const send = async (message: string): Promise<string> =>
    (await clinic.account.messaging.send(owner.account.did, 'custom', { message }, message)).id;
  const textsOf = (account: Account): string[] => account.mailbox.list().map((i) => i.message);
  /** Waits until a message that was left last is there: whatever came before it has been decided. */
  const settled = async (account: Account = owner.account): Promise<void> => {
    const last = await send('last');
    await until(() => account.mailbox.get(last));
    await account.synced();
  };

  it('[MSG-7] the node holds the sealed bytes under a name that follows from them, and nothing else', async () => {
    await owner.account.close();
    const to = owner.account.did;
    await clinic.account.messaging.send(
      to,
      'inbox/type/message',
      { subject: 'canary-1', message: 'canary-2' },
      'canary-3',
      {
        context: 'canary-4',
      },
    );
    const [entry, ...more] = inboxAt(net, owner);
    expect(more).toEqual([]);
    const header = decodeHeader(entry?.header ?? new Uint8Array());
    const sealed = entry?.body ?? new Uint8Array();
    const name = sha256(sealed).slice(0, 16);
    expect(header).toMatchObject({ ok: true, value: { n: 0, tag: name, writer: name, expiresMs: null } });
    const seen = Buffer.concat([entry?.header ?? new Uint8Array(), sealed]).toString('latin1');
    for (const secret of ['canary', 'inbox/type', clinic.account.did, 'clinic.example'])
      expect(seen).not.toContain(secret);
    // The node's own sealing key is not the one it is sealed to, and without the secret nobody opens it.
    const stranger = hpkeKeyPairFromSecret(systemRandom(32));
    expect((await openHpke(stranger, INFO, utf8(to), sealed)).ok).toBe(false);
    expect((await openHpke(owner.account.open.sealing, INFO, utf8(to), sealed)).ok).toBe(true);
  });

  it('[MSG-3] a byte changed by the node is found out, and the messages behind it are shown', async () => {
    lie = (page) => ({
      ...page,
      entries: page.entries.map((e, i) =>
        i === 0 && e.body ? { ...e, body: e.body.map((b, at) => (at === 90 ? b ^ 1 : b)) } : e,
      ),
    });
    await owner.account.close();
    await send('first');
    await send('second');
    const again = await net.reopen(owner);
    again.mailbox.onRejected((reason) => refused.push(reason));
    await until(() => textsOf(again).length === 1);
    await again.synced();
    expect(textsOf(again)).toEqual(['second']);
    expect(refused).toEqual(['cannot-open']);
  });

  it('[MSG-4] a message relayed to another recipient is not shown there', async () => {
    const mallory = await net.person('mallory');
    const sealed = await sealTo(net, mallory, senderOf(clinic), { message: 'for mallory' });
    const plain = await openHpke(mallory.account.open.sealing, INFO, utf8(mallory.account.did), sealed);
    if (!plain.ok) throw new Error('the recipient opens it');
    const { sealingKey, did } = await identityOf(owner);
    await leave(owner, sealed, await sealHpke(sealingKey, INFO, utf8(did), plain.value));
    await settled();
    expect(textsOf(owner.account)).toEqual(['last']);
    expect(refused.sort()).toEqual(['cannot-open', 'not-for-me']);
  });

  it('[MSG-3] a key that the sender has replaced no longer speaks for it', async () => {
    await owner.account.close();
    await send('by the old key');
    const { did, sealing } = clinic.account.open;
    const fetchText = publishing(net, { 'clinic.example': documentOf(did, sealing.publicKey) });
    const again = await reopenOn(net, owner, { fetchText });
    again.mailbox.onRejected((reason) => refused.push(reason));
    await until(() => refused.length > 0);
    expect(refused).toEqual(['bad-sender']);
    expect(textsOf(again)).toEqual([]);
    await again.close();
  });

  it('[MSG-5] [MSG-6] what is dated ahead, too long-lived, over, oversized or of another version is refused and stops nothing', async () => {
    const nowMs = net.clock.nowMs();
    const sender = senderOf(clinic);
    const late = { createdMs: nowMs - 2 * DAY, expiresMs: nowMs - DAY };
    const ahead = { createdMs: nowMs + 15 * 60_000, expiresMs: nowMs + DAY };
    await leave(
      owner,
      await sealTo(net, owner, sender, { message: 'ahead', ...ahead }),
      await sealTo(net, owner, sender, { message: 'a little ahead', ...ahead, createdMs: nowMs + 9 * 60_000 }),
      await sealTo(net, owner, sender, { message: 'over', ...late }),
      await sealTo(net, owner, sender, { message: 'for ever', expiresMs: nowMs + 31 * DAY }),
      utf8('no message at all'),
      await sealHpke(
        (await identityOf(owner)).sealingKey,
        utf8('sluice/msg/2'),
        utf8(owner.account.did),
        utf8('later'),
      ),
    );
    const oversized = await owner.account.open.http.deposit(owner.account.open.home.keys.space, [
      new Uint8Array(256 * 1024 + 1),
    ]);
    expect(oversized).toMatchObject({ ok: false, error: { code: 'TOO_LARGE' } });
    await settled();
    expect(textsOf(owner.account).sort()).toEqual(['a little ahead', 'last']);
    expect(refused.sort()).toEqual(['cannot-open', 'cannot-open', 'expired', 'expired', 'from-the-future']);
    expect(inboxAt(net, owner)).toEqual([]);
  });

  it.each(['javascript:alert(1)', 'file:///etc/passwd', 'http://clinic.example/a'])(
    '[MSG-31] a link to %s is refused at the sender, and not shown by a reader',
    async (url) => {
      const data = { subject: 's', message: 'm', link: { url } };
      const { did, mailbox } = owner.account;
      const send = clinic.account.messaging.send(did, 'inbox/type/message', data, 'refused');
      await expect(send).rejects.toMatchObject({ code: 'BAD_MESSAGE' });
      await leave(owner, await sealTo(net, owner, senderOf(clinic), { data }));
      const item = await until(() => mailbox.list()[0]);
      expect(item.data).toEqual({ subject: 's', message: 'm' });
    },
  );

  it('[MSG-9] a message that is deposited again is shown once', async () => {
    const shown: string[] = [];
    owner.account.messaging.onMessage((item) => shown.push(item.message));
    const sealed = await sealTo(net, owner, senderOf(clinic), { message: 'once' });
    await leave(owner, sealed, sealed);
    await leave(owner, sealed);
    await until(() => shown.length > 0);
    await owner.account.synced();
    const kept = owner.account.mailbox.list()[0];
    await leave(owner, sealed);
    expect(inboxAt(net, owner)).toEqual([]);
    // The node forgets after 30 days, when the message is over in any case.
    offsetMs = 31 * DAY;
    await clinic.account.messaging.send(owner.account.did, 'custom', {}, 'a month later');
    await until(() => shown.length === 2);
    await leave(owner, sealed);
    await settled();
    expect(shown).toEqual(['once', 'a month later', 'last']);
    expect(owner.account.mailbox.get(kept?.id ?? '')).toEqual(kept);
  });

  it('[MSG-9] a message that the node serves again after it was drained is not shown again', async () => {
    let first: PageEntry | undefined;
    let repeated = 0;
    lie = (page) => {
      const [entry] = page.entries;
      first ??= entry;
      if (!first || !entry || entry.seq === first.seq) return page;
      repeated++;
      return { ...page, entries: [{ ...first, seq: entry.seq }, ...page.entries] };
    };
    const shown: string[] = [];
    owner.account.messaging.onMessage((item) => shown.push(item.message));
    await send('once');
    await until(() => shown.length === 1);
    await owner.account.synced();
    await settled();
    expect(repeated).toBeGreaterThan(0);
    expect(shown).toEqual(['once', 'last']);
  });

  it('[MSG-9] a message sealed anew under a known id changes nothing', async () => {
    const id = createMessageId(systemRandom);
    await leave(owner, await sealTo(net, owner, senderOf(clinic), { id, message: 'first' }));
    await until(() => owner.account.mailbox.get(id));
    const mallory = await net.person('mallory');
    await leave(
      owner,
      await sealTo(net, owner, senderOf(clinic), { id, message: 'second' }),
      await sealTo(net, owner, senderOf(mallory), { id, message: 'another’s' }),
    );
    await settled();
    expect(textsOf(owner.account).sort()).toEqual(['first', 'last']);
    expect(owner.account.mailbox.get(id)?.from).toBe(clinic.account.did);
  });

  it('[MSG-8] a message is dropped by the push that carries its record', async () => {
    await send('one');
    await until(() => textsOf(owner.account).length === 1);
    await owner.account.synced();
    expect(inboxAt(net, owner)).toEqual([]);
    expect(drains).toEqual([['sealed', 'drain']]);
  });

  it('[MSG-8] two devices that drain at once neither lose a message nor show one twice', async () => {
    const phone = await net.restore(owner, 'phone');
    await phone.close();
    await owner.account.close();
    const COUNT = 60;
    const sealed = Array.from({ length: COUNT }, (_, i) =>
      sealTo(net, owner, senderOf(clinic), { message: `m${String(i).padStart(2, '0')}` }),
    );
    await leave(owner, ...(await Promise.all(sealed)));
    expect(inboxAt(net, owner)).toHaveLength(COUNT);
    const [laptop, other] = await Promise.all([
      net.reopen(owner),
      net.reopen({ ...owner, store: `${net.directory}/phone` }),
    ]);
    const shown: Record<string, string[]> = { laptop: [], other: [] };
    laptop.messaging.onMessage((item) => shown.laptop?.push(item.id));
    other.messaging.onMessage((item) => shown.other?.push(item.id));
    await until(() => [laptop, other].every((a) => a.mailbox.list().length === COUNT));
    // More while both are live.
    const live = await Promise.all(Array.from({ length: 20 }, (_, i) => send(`live-${i}`)));
    await until(() => [laptop, other].every((a) => a.mailbox.list().length === COUNT + live.length));
    await Promise.all([laptop.synced(), other.synced()]);
    await Promise.all([laptop.synced(), other.synced()]);
    expect(inboxAt(net, owner)).toEqual([]);
    const newestFirst = (account: Account) => account.mailbox.list({}, { sort: [{ message: 'asc' }] });
    expect(newestFirst(laptop)).toEqual(newestFirst(other));
    for (const ids of Object.values(shown)) {
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).toEqual(expect.arrayContaining(live));
    }
  });

  it('[MSG-10] a sender who cannot be looked up now is waited for, and holds up nobody', async () => {
    await owner.account.close();
    await send('from the unreachable');
    const friend = await net.person('friend');
    await friend.account.messaging.send(owner.account.did, 'custom', {}, 'from a friend');
    const hosts: Hosts = { 'clinic.example': 'unreachable' };
    const fetchText = publishing(net, hosts);
    const again = await reopenOn(net, owner, { fetchText });
    again.mailbox.onRejected((reason) => refused.push(reason));
    await until(() => textsOf(again).length > 0);
    await again.synced();
    expect(textsOf(again)).toEqual(['from a friend']);
    expect(inboxAt(net, owner)).toHaveLength(1);
    delete hosts['clinic.example'];
    await again.synced();
    expect(textsOf(again).sort()).toEqual(['from a friend', 'from the unreachable']);
    expect(inboxAt(net, owner)).toEqual([]);
    expect(refused).toEqual([]);
    await again.close();
  });

  it('[MSG-10] senders who are never found do not fill the inbox', async () => {
    const nobody = thief(clinic.account.did);
    const sealed = await Promise.all(Array.from({ length: 520 }, () => sealTo(net, owner, nobody)));
    await owner.account.close();
    for (let at = 0; at < sealed.length; at += 100) await leave(owner, ...sealed.slice(at, at + 100));
    // A page holds 500 entries, so what waits shows in two.
    const held = (): number => {
      const first = inboxAt(net, owner);
      return first.length + inboxAt(net, owner, first.at(-1)?.seq).length;
    };
    expect(held()).toBe(520);
    const again = await reopenOn(net, owner, { fetchText: publishing(net, { 'clinic.example': 'unreachable' }) });
    await again.synced();
    await until(() => held() === 500);
    await again.synced();
    expect(held()).toBe(500);
    await again.close();
  });

  it('[MSG-11] a message for a context that was never opened arrives in the Vault and creates nothing', async () => {
    const before = owner.account.open.contexts();
    const answers: unknown[] = [];
    for (const context of ['Verida: Vault', 'Never opened'])
      answers.push(
        await clinic.account.messaging.send(owner.account.did, 'custom', {}, context, {
          context,
          contextApp: clinic.account.did,
        }),
      );
    await until(() => owner.account.mailbox.list().length === 2);
    expect(owner.account.mailbox.list({ context: 'Never opened' })).toMatchObject([
      { context: 'Never opened', contextApp: clinic.account.did, message: 'Never opened' },
    ]);
    expect(owner.account.open.contexts()).toEqual(before);
    expect(await owner.account.context('Never opened', { app: clinic.account.did })).toBeUndefined();
    // The sender is answered alike: an id, and that nothing waits.
    expect(answers).toEqual([
      { id: expect.stringMatching(/^[0-9a-f]{32}$/), queued: false },
      { id: expect.stringMatching(/^[0-9a-f]{32}$/), queued: false },
    ]);
  });

  it('[MSG-3] a message by somebody with a card of another owner is refused', async () => {
    const mallory = await net.person('mallory');
    const asClinic = { ...senderOf(mallory), did: clinic.account.did };
    const keyless = { ...thief(clinic.account.did), card: mallory.account.open.card };
    await leave(owner, await sealTo(net, owner, asClinic), await sealTo(net, owner, keyless));
    await settled();
    expect(textsOf(owner.account)).toEqual(['last']);
    expect(refused).toEqual(['bad-sender', 'bad-sender']);
  });
});
