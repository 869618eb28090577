/** The command line against a real node: what people type, one command a time, in this process. */

import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openNodeStore } from '@sluice/client/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from './exit-codes.ts';
import { openShell, type Running, type Shell } from './shell-fixture.ts';

const BUNDLE = fileURLToPath(new URL('../../../examples/data/bundle.json', import.meta.url));
const NODE = 'https://node.sluice.test';

describe('the command line against a real node', () => {
  let shell: Shell;
  let node: Running;
  let did: string;
  let phrase: string;
  const file = (name: string, text: string): string => {
    const path = join(shell.home, name);
    writeFileSync(path, text);
    return path;
  };
  const errorOf = (err: string) => JSON.parse(err.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
  const startNode = async (): Promise<Running> => {
    const started = shell.start(['--json', 'node', '--data', join(shell.home, 'node'), '--log-level', 'silent']);
    await started.said(/"ready":true/);
    return started;
  };

  beforeAll(async () => {
    shell = openShell();
    node = await startNode();
    const created = await shell.json<{ did: string; phrase: string }>(['vault', 'create', '--node', NODE]);
    did = created.did;
    phrase = created.phrase;
    await shell.json(['app', 'init', '--origin', 'https://clinic.example', '--node', NODE]);
    await shell.start(['--json', 'app', 'serve']).said(/"ready":true/);
  }, 60_000);
  afterAll(() => shell.close());

  it('a second account, a second process, a wrong passphrase and a second node are refused, each in its own words', async () => {
    const told = async (args: readonly string[], env = {}) => {
      const { code, err, out } = await shell.run(['--json', ...args], { env });
      expect(out).toBe('');
      return [code, errorOf(err).error, errorOf(err).message];
    };
    const saying = (text: string): unknown => expect.stringContaining(text);
    expect(await told(['vault', 'create', '--node', NODE])).toEqual([
      EXIT.refused,
      'STORE_IN_USE',
      saying('of its own'),
    ]);
    expect(await told(['vault', 'inbox'], { SLUICE_PASSPHRASE: 'not the one' })).toEqual([
      EXIT.refused,
      'WRONG_PASSPHRASE',
      saying('does not open'),
    ]);
    expect(
      await told(['--store', join(shell.home, 'new'), 'vault', 'create', '--node', NODE], {
        SLUICE_PASSPHRASE: 'short',
      }),
    ).toEqual([EXIT.usage, 'USAGE', 'A passphrase has at least 8 characters.']);
    const store = openNodeStore(join(shell.home, 'vault'));
    expect(await told(['vault', 'inbox'])).toEqual([EXIT.locked, 'STORE_LOCKED', saying(String(process.pid))]);
    store.db.close();
    store.release();
    expect(await told(['node', '--data', join(shell.home, 'node')])).toEqual([
      EXIT.locked,
      'STORE_LOCKED',
      saying('another --data'),
    ]);
    expect(await told(['--store', join(shell.home, 'new'), 'vault', 'inbox'])).toEqual([
      EXIT.invalid,
      'NOT_FOUND',
      saying('There is no account here yet. To make one: sluice vault create, or sluice vault restore'),
    ]);
    // What failed has let the store go.
    expect((await shell.run(['vault', 'inbox'])).code).toBe(EXIT.ok);
  });

  it('a node whose port is taken says so and leaves nothing running', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const args = ['--json', 'node', '--data', join(shell.home, 'other'), '--log-level', 'silent'];
    const ran = await shell.run([...args, '--port', String(port)]);
    expect([ran.code, errorOf(ran.err).message]).toEqual([
      EXIT.invalid,
      'Another process listens on this port. Choose another with --port (0: any free one).',
    ]);
    await new Promise((resolve) => taken.close(resolve));
  });

  it('empty lists say what to do, and are empty lists as JSON', async () => {
    for (const [args, hint] of [
      [['vault', 'records'], 'sluice vault import'],
      [['vault', 'inbox'], 'sluice vault status'],
      [['vault', 'grants'], 'sluice vault requests'],
      [['vault', 'sessions'], 'sluice vault approve'],
      [['vault', 'requests'], 'Nobody asks'],
      [['app', 'grants'], 'sluice app sync'],
      [['app', 'sessions'], 'sluice app connect'],
      [['app', 'inbox'], 'No messages'],
    ] as const) {
      expect((await shell.run(args)).out, args.join(' ')).toContain(hint);
      expect(await shell.json(args)).toEqual([]);
    }
  });

  it('imports what is good of a bundle and of lines, and lists what is bad', async () => {
    const bundle = await shell.run(['--json', 'vault', 'import', BUNDLE]);
    const report = JSON.parse(bundle.out) as { imported: Record<string, number>; broken: string[] };
    expect([bundle.code, bundle.err]).toEqual([EXIT.partial, '']);
    expect(report.imported).toMatchObject({ 'fhir/immunization': 11, 'fhir/observation': 12 });
    expect(report.broken).toEqual([expect.stringMatching(/bundle\.json entry \d+.*: names no resource type/)]);

    const lines = [
      '{"name":"Good","content":"a"}',
      '{"name":',
      '{"name":"Bad","content":5}',
      '{"name":"Also","content":"b"}',
    ];
    const mixed = await shell.run(['vault', 'import', '--schema', 'note', file('notes.jsonl', lines.join('\n'))]);
    expect(mixed.code).toBe(EXIT.partial);
    expect(mixed.out).toMatch(
      /^ {5}2 {2}note\nleft out: .*notes\.jsonl line 2: not JSON\nleft out: note: .*notes\.jsonl line 3: \/content must be string\n$/,
    );
    expect(mixed.err).toBe('');

    for (const [name, text, said] of [
      ['a.json', '{', 'it is not JSON'],
      ['b.json', '{"resourceType":"Patient"}', 'not a FHIR bundle'],
      ['c.jsonl', '{}', '--schema says what'],
    ] as const)
      expect((await shell.run(['vault', 'import', file(name, text)])).err).toContain(said);
    expect((await shell.run(['vault', 'import', join(shell.home, 'absent.json')])).err).toMatch(
      /There is no file .*absent\.json/,
    );
  });

  it('an import that is stopped keeps what it has, and goes on when it is run again', async () => {
    const count = 600;
    const text = Array.from({ length: count }, (_, i) => JSON.stringify({ _id: `p${i}`, content: `Post ${i}` })).join(
      '\n',
    );
    const path = file('posts.jsonl', text);
    const args = ['vault', 'import', '--schema', 'social/post', path];
    const running = shell.start(args, { columns: 80 });
    await running.said(/Importing \[#/);
    running.stop();
    const stopped = await running.ended;
    const done = Number(/Stopped after (\d+) of 600 records; they are kept/.exec(stopped.err)?.[1]);
    expect([stopped.code, done > 0, done < count]).toEqual([EXIT.interrupted, true, true]);
    const kept = await shell.json<unknown[]>(['vault', 'records', 'social/post', '--limit', '1000']);
    expect(kept).toHaveLength(done);
    expect(await shell.json(args)).toMatchObject({ imported: { 'social/post': count } });
    expect(await shell.json(['vault', 'records', 'social/post', '--limit', '1000'])).toHaveLength(count);
  });

  it('records are found by filter, shown by the beginning of an id, saved and deleted', async () => {
    const filter = '{"occurrenceDateTime":{"$gte":"2026"}}';
    const found = await shell.json<{ _id: string }[]>(['vault', 'records', 'fhir/immunization', '--filter', filter]);
    expect(found).toHaveLength(2);
    const id = found[0]?._id ?? '';
    const whole = JSON.parse((await shell.run(['vault', 'records', 'fhir/immunization', id.slice(0, 10)])).out);
    expect(whole).toMatchObject({ _id: id, resourceType: 'Immunization' });
    const listed = await shell.run(['vault', 'records', 'fhir/immunization', '--limit', '2'], { columns: 60 });
    expect(listed.err).toContain('2 of 11 shown; --limit shows more');
    for (const line of listed.out.trimEnd().split('\n')) expect(line.length).toBeLessThanOrEqual(60);

    expect((await shell.run(['vault', 'records', 'fhir/patient'])).out).toMatch(
      /\n\S{12} {2}\S+Z {2}\d{4}\S* {2}\p{L}+ /u,
    );

    const saved = await shell.json<{ id: string }>(['vault', 'save', 'note'], { input: '{"content":"Today"}' });
    expect((await shell.run(['vault', 'delete', 'note', saved.id.slice(0, 8), 'none'])).err).toContain(
      'no record none; nothing was deleted',
    );
    expect(await shell.json(['vault', 'delete', 'note', saved.id.slice(0, 8)])).toEqual({ deleted: [saved.id] });
    expect((await shell.run(['vault', 'records', 'note', saved.id])).code).toBe(EXIT.invalid);
  });

  it('twelve words bring everything to a second device; wrong words do not', async () => {
    const phone = ['--store', join(shell.home, 'phone'), 'vault'];
    const wrong = await shell.run([...phone, 'restore', '--node', NODE], { input: 'not twelve words' });
    expect([wrong.code, wrong.err]).toEqual([EXIT.invalid, expect.stringContaining('Check the twelve words')]);
    expect(wrong.err).not.toContain('not twelve words');
    const words = file('words', phrase);
    expect(await shell.json([...phone, 'restore', '--node', NODE, '--phrase-file', words])).toEqual({ did });
    expect(await shell.json([...phone, 'records', 'fhir/immunization', '--limit', '100'])).toHaveLength(11);
    const status = await shell.json<{ devices: unknown[] }>(['vault', 'status']);
    expect(status.devices).toHaveLength(2);
  });

  it('[S1] an app sends; accept, decline and their mistakes', async () => {
    const payload = (name: string) =>
      JSON.stringify({
        data: [
          { schema: 'note', name, content: 'Drink enough' },
          { schema: 'note', content: 5 },
        ],
      });
    const args = ['app', 'send', did, '--data', '-', '--message'];
    const first = await shell.json<{ id: string }>([...args, 'A note\u001b[31m'], {
      input: payload('From the clinic'),
    });
    const second = await shell.json<{ id: string }>([...args, 'Another'], { input: payload('Unwanted') });
    const inbox = await shell.run(['vault', 'inbox']);
    expect(inbox.out).toContain(`${first.id.slice(0, 12)}  `);
    expect(inbox.out).toMatch(/new +dataSend +clinic\.example +A note\uFFFD\[31m/);
    expect((await shell.run(['vault', 'approve', first.id.slice(0, 6)])).err).toContain(
      `sluice vault accept ${first.id.slice(0, 12)} answers this dataSend`,
    );
    const accepted = await shell.run(['--json', 'vault', 'accept', first.id.slice(0, 6)]);
    expect([accepted.code, JSON.parse(accepted.out)]).toMatchObject([
      EXIT.partial,
      { saved: [{}], failed: [{ index: 1 }] },
    ]);
    expect((await shell.run(['vault', 'accept', first.id])).code).toBe(EXIT.refused);
    expect(await shell.json(['vault', 'decline', second.id.slice(0, 6)])).toEqual({ declined: second.id });
    expect(await shell.json(['app', 'sent', first.id])).toEqual({ id: first.id, status: 'accepted' });
    expect(await shell.json(['app', 'sent', second.id])).toEqual({ id: second.id, status: 'declined' });
    expect((await shell.run(['app', 'send', 'nonsense', '--data', '-', '--message', 'x'], { input: '{}' })).code).toBe(
      EXIT.invalid,
    );
    expect((await shell.run(['vault', 'accept', 'ffffffff'])).err).toContain('List them with sluice vault inbox.');
  });

  it('[S2] an app asks; share and decline, and the exit codes of the asker', async () => {
    const ask = (name: string): Running =>
      shell.start([
        '--json',
        'app',
        'request',
        did,
        '--schema',
        'note',
        '--filter',
        `{"name":"${name}"}`,
        '--purpose',
        'To see',
      ]);
    const next = async (): Promise<string> => {
      for (;;) {
        const open = await shell.json<{ id: string; kind: string }[]>(['vault', 'requests']);
        const data = open.find((r) => r.kind === 'data');
        if (data) return data.id;
      }
    };
    const asking = ask('Good');
    const id = await next();
    const unclear = await shell.run(['vault', 'share', id.slice(0, 8)]);
    expect([unclear.code, unclear.err]).toEqual([EXIT.usage, expect.stringContaining('These fit: ')]);
    await shell.json(['vault', 'share', id.slice(0, 8), '--all']);
    const answer = await asking.ended;
    expect([answer.code, JSON.parse(answer.out)]).toMatchObject([
      EXIT.ok,
      { status: 'shared', records: [{ content: 'a' }] },
    ]);

    const refused = ask('Good');
    await shell.json(['vault', 'decline', await next()]);
    const declined = await refused.ended;
    expect([declined.code, errorOf(declined.err).error, declined.out]).toEqual([EXIT.declined, 'DECLINED', '']);
  });

  it('[S2] a request is shown with all it asks, and one that cannot be answered hides no other', async () => {
    const send = (data: object) =>
      shell.json(['app', 'send', did, '--type', 'inbox/type/dataRequest', '--message', 'Please', '--data', '-'], {
        input: JSON.stringify(data),
      });
    await send({
      requestSchema: 'credential/driving-licence',
      userSelect: true,
      userSelectLimit: 1,
      fallbackAction: { label: 'Get a licence', url: 'https://cbr.example/apply' },
    });
    await send({ requestSchema: 'note', filter: { name: { $where: 'code' } } });
    await send({ requestSchema: 'note', filter: { name: 'Good' } });
    const open = await shell.json<{ id: string; lines: string[] }[]>(['vault', 'requests']);
    const lines = open.flatMap((request) => request.lines);
    expect(lines).toContain(
      'wants credential/driving-licence (self-attested, not verified): those that you choose, 1 at most',
    );
    expect(lines).toContain('they say where to get one: Get a licence, https://cbr.example/apply');
    expect(lines).toContain('wants note: all that fit');
    expect(lines.find((line) => line.startsWith('cannot be answered: '))).toContain('BAD_FILTER');
    for (const { id } of open) await shell.json(['vault', 'decline', id]);
  });

  it('[S3] an app connects by a link, keeps its silo, and gives the session back', async () => {
    const out = join(shell.home, 'request.txt');
    const asking = shell.start(['app', 'connect', '--context', 'Star Miner', '--out', out]);
    await asking.said(/Waiting up to ten minutes/);
    expect(readFileSync(out, 'utf8')).toMatch(/^sluice:connect#[A-Za-z0-9_-]+\n$/);
    expect(await shell.json(['vault', 'approve', out, '--yes'])).toMatchObject({ origin: 'https://clinic.example' });
    const [, session = ''] = await asking.said(/sluice app silo (\w+) SCHEMA/);
    expect((await asking.ended).code).toBe(EXIT.ok);
    await shell.json(['app', 'silo', session, 'game/save', '--save'], { input: '{"name":"Slot 1","level":7}' });
    expect(await shell.json(['app', 'silo', session, 'game/save'])).toMatchObject([{ level: 7 }]);
    expect(JSON.stringify(await shell.json(['vault', 'records']))).not.toContain('game');

    const again = shell.start(['--json', 'app', 'connect', '--context', 'Star Miner']);
    const [, link = ''] = await again.said(/"link":"([^"]+)"/);
    await shell.json(['vault', 'decline', link]);
    expect((await again.ended).code).toBe(EXIT.declined);

    await shell.json(['app', 'disconnect', session]);
    const after = await shell.run(['app', 'silo', session, 'game/save']);
    expect(after.code).toBe(EXIT.refused);
  });

  it('[S4] an app syncs, stops waiting, takes the grant up later, follows it, and sees the revoke', async () => {
    const asking = shell.start([
      'app',
      'sync',
      did,
      '--schema',
      'note',
      '--fields',
      'content',
      '--purpose',
      'To follow\u0085\u{E0041}',
    ]);
    const [, id = ''] = await asking.said(/Request (\w+); waiting/);
    asking.stop();
    const stopped = await asking.ended;
    expect([stopped.code, stopped.err]).toEqual([EXIT.interrupted, expect.stringContaining(`sluice app answer ${id}`)]);
    const requests = await shell.run(['vault', 'requests'], { columns: 80 });
    expect(requests.out).toMatch(/clinic\.example may read your Notes/);
    for (const line of requests.out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect((await shell.run(['vault', 'share', id.slice(0, 6)])).err).toContain('sluice vault approve');
    const silent = await shell.run(['vault', 'approve', id.slice(0, 6)]);
    expect([silent.code, silent.err]).toEqual([EXIT.usage, expect.stringContaining('Pass --yes to agree')]);
    expect(await shell.json(['vault', 'grants'])).toEqual([]);
    const [given] = await shell.json<{ grantId: string }[]>(['vault', 'approve', id.slice(0, 6), '--yes']);
    const grantId = given?.grantId ?? '';
    const short = grantId.slice(0, 8);
    expect(await shell.json(['app', 'grants'])).toMatchObject([
      { grantId, fields: ['content'], status: 'live', lastSeen: expect.stringMatching(/Z$/) },
    ]);
    const revealed = await shell.json<{ status: string; records: unknown[] }>(['app', 'records', short]);
    const own = await shell.json<unknown[]>(['vault', 'records', 'note', '--limit', '100']);
    expect([revealed.status, revealed.records.length]).toEqual(['live', own.length]);

    const following = shell.start(['--json', 'app', 'records', short, '--follow']);
    await following.said(/"ready":true/);
    await shell.json(['vault', 'save', 'note'], { input: '{"content":"Live"}' });
    await following.said(/"event":"put".*"content":"Live"/);
    const receipt = await shell.json<{ receipt_id: string }>(['vault', 'receipt', short]);
    expect(receipt).toMatchObject({
      content: { pii_processing: { purposes: [{ purpose: 'To follow\u0085\u{E0041}' }] } },
    });
    const shown = await shell.run(['vault', 'receipt', short]);
    expect(shown.out).toContain('"purpose": "To follow\\u0085\\udb40\\udc41"');
    expect(JSON.parse(shown.out)).toEqual(receipt);
    const saved = join(shell.home, 'receipt.json');
    expect(await shell.json(['vault', 'receipt', short, '--out', saved])).toEqual({ grantId, file: saved });
    expect(JSON.parse(readFileSync(saved, 'utf8'))).toEqual(receipt);
    expect((await shell.run(['vault', 'receipt', 'ffffffff'])).code).toBe(EXIT.invalid);
    expect(await shell.json(['vault', 'revoke', short])).toEqual({ ended: 1 });
    await following.said(/"event":"status".*"status":"revoked"/);
    following.stop();
    expect((await following.ended).code).toBe(EXIT.ok);
    expect(await shell.json(['vault', 'grants'])).toMatchObject([{ grantId, status: 'revoked' }]);
    const events = await shell.json<{ type: string }[]>(['vault', 'activity', '--grant', short, '--limit', '9']);
    const decided = events.filter(({ type }) => type === 'revoke' || type === 'consent');
    expect(decided).toMatchObject([{ type: 'revoke', grantId }, { type: 'consent' }]);
    const activity = await shell.run(['vault', 'activity', '--grantee', 'clinic.example']);
    expect(activity.out).toMatch(new RegExp(`revoke +clinic\\.example +${grantId.slice(0, 12)}`));
    expect(activity.out).toMatch(/request +clinic\.example +To follow\uFFFD/);
    expect((await shell.run(['vault', 'activity', '--since', '2999-01-01'])).out).toContain('Nothing happened');
    const reportAt = (at: string) => shell.json(['vault', 'report', 'clinic.example', '--at', at]);
    expect(await reportAt('2999-12-31')).toMatchObject({
      atMs: Date.UTC(3000, 0, 1) - 1,
      grants: [{ grantId, status: 'revoked', terms: { fields: ['content'] } }],
    });
    expect(await reportAt('2020-01-01T00:00:00Z')).toEqual({
      grantee: 'did:web:clinic.example',
      atMs: Date.UTC(2020, 0, 1),
      grants: [],
    });
    const report = await shell.run(['vault', 'report', 'clinic.example']);
    expect(report.out).toContain(`note (${grantId.slice(0, 12)}), revoked: content`);
    expect((await shell.run(['vault', 'report', 'clinic.example', '--at', 'soon'])).code).toBe(EXIT.usage);
    expect(await shell.json(['vault', 'activity', '--keep', 'P1Y'])).toEqual({ kept: 'P1Y' });
    expect((await shell.run(['vault', 'activity', '--keep', 'long'])).code).toBe(EXIT.invalid);
    expect(await shell.json(['vault', 'activity', '--keep', 'all'])).toEqual({ kept: 'all' });
    const twice = await shell.run(['vault', 'revoke', short]);
    expect([twice.code, twice.err]).toEqual([EXIT.refused, expect.stringContaining('is revoked already')]);
    const nobody = await shell.run(['vault', 'revoke', 'nobody.example'], { columns: 40 });
    expect([nobody.code, Math.max(...nobody.err.split('\n').map((l) => l.length)) <= 40]).toEqual([EXIT.invalid, true]);
  });

  it('[S4] a person gives less than an app asks for, the app accepts it, and the person changes it', async () => {
    await shell.json(['vault', 'save', 'note'], { input: '{"title":"One","content":"secret"}' });
    const terms = ['--fields', 'title', '--optional', 'content', '--until', '2999-01-01', '--retention', 'P1Y'];
    const asking = shell.start(['app', 'sync', did, '--schema', 'note', ...terms, '--purpose', 'A study']);
    const [, id = ''] = await asking.said(/Request (\w+); waiting/);
    asking.stop();
    await asking.ended;
    const requests = await shell.run(['vault', 'requests'], { columns: 400 });
    expect(requests.out).toMatch(
      /only content, title, of which you may leave out content\), from now until 2999-01-01 23:59 UTC/,
    );
    expect(requests.out).toContain('keeps what it got for 1 year after the end');
    expect(requests.out).toMatch(/now: \d+ of \d+ records.*; about [\d.]+ changes a week/);
    const refused = await shell.run(['vault', 'approve', id.slice(0, 6), '--fields', 'content', '--yes']);
    expect(refused.err).toContain('title is required');
    const approve = ['vault', 'approve', id.slice(0, 6), '--fields', 'title', '--yes'];
    const [given] = await shell.json<{ grantId: string }[]>(approve);
    const short = String(given?.grantId).slice(0, 8);
    expect(await shell.json(['vault', 'grants'])).toEqual(
      expect.arrayContaining([expect.objectContaining({ grantId: given?.grantId, status: 'offered' })]),
    );
    await shell.json(['app', 'accept', short]);
    const late = await shell.run(['vault', 'change', short, '--until', '2020-01-01', '--yes']);
    expect(late.err).toMatch(/^sluice: duration\.until is 2020-01-01T23:59:59\.999Z, which has passed[^\n]*\n$/);
    expect((await shell.run(['vault', 'change', short, '--fields', 'title,other', '--yes'])).err).toContain(
      'not asked for',
    );
    const change = ['vault', 'change', short, '--transform', 'content=drop', '--once', '--yes'];
    expect(await shell.json(change)).toMatchObject({ records: { removed: 0 }, fields: { added: [], removed: [] } });
    const { records } = await shell.json<{ records: object[] }>(['app', 'records', short]);
    expect(records.map((r) => Object.keys(r))).toContainEqual(expect.arrayContaining(['title']));
    expect(JSON.stringify(records)).not.toContain('secret');
    expect(await shell.json(['app', 'drop', short])).toMatchObject({ status: 'dropped' });
  });

  it('watch prints what arrives, and stops cleanly', async () => {
    const watching = shell.start(['--json', 'vault', 'watch']);
    await watching.said(/"ready":true/);
    const sent = await shell.json<{ id: string }>(
      ['app', 'send', did, '--type', 'inbox/type/message', '--data', '-', '--message', 'Hi'],
      {
        input: '{"subject":"Hi","message":"Hello"}',
      },
    );
    await watching.said(new RegExp(`"event":"message","id":"${sent.id}"`));
    watching.stop();
    expect((await watching.ended).code).toBe(EXIT.ok);
  });

  it('[DS-14] [DS-16] what one device lost against another is listed, put back or forgotten', async () => {
    const phone = ['--store', join(shell.home, 'phone')];
    const save = (store: readonly string[], name: string) =>
      shell.json([...store, 'vault', 'save', 'note', '--force'], {
        input: JSON.stringify({ _id: 'both', name, content: 'Sun' }),
      });
    await save([], 'First');
    expect(await shell.json([...phone, 'vault', 'records', 'note', 'both'])).toMatchObject({ name: 'First' });
    node.stop();
    await node.ended;
    await save([], 'Mine');
    await save(phone, 'Other');
    node = await startNode();
    for (const store of [[], phone, []]) await shell.json([...store, 'vault', 'records', 'note']);
    const [lost] = await shell.json<{ key: string }[]>(['vault', 'conflicts']);
    expect(lost).toMatchObject({ id: 'both', field: 'name', lost: 'Mine', kept: 'Other' });
    const shown = await shell.run(['vault', 'conflicts', 'note']);
    expect(shown.out).toMatch(/note both +name +"Mine" +"Other"/);
    expect((await shell.run(['vault', 'resolve', '0000'])).code).toBe(EXIT.invalid);
    const back = await shell.run(['vault', 'resolve', String(lost?.key).slice(0, 8), '--use-lost']);
    expect(back.out).toContain('Saved as a new edit');
    expect(await shell.json(['vault', 'records', 'note', 'both'])).toMatchObject({ name: 'Mine' });
    expect((await shell.run(['vault', 'conflicts'])).out).toContain('Nothing was lost');
    for (const { key } of await shell.json<{ key: string }[]>([...phone, 'vault', 'conflicts']))
      expect(await shell.json([...phone, 'vault', 'resolve', key])).toEqual({ key, how: 'keep' });
    expect(await shell.json([...phone, 'vault', 'conflicts'])).toEqual([]);
  });

  it('with the node down, reading and saving go on and say so; what needs it ends with its own code', async () => {
    node.stop();
    await node.ended;
    const read = await shell.run(['vault', 'records', 'fhir/immunization', '--limit', '1']);
    expect([read.code, read.err]).toEqual([
      EXIT.ok,
      expect.stringContaining('The node cannot be reached. Changes are kept here'),
    ]);
    const saved = await shell.json<{ id: string }>(['vault', 'save', 'note'], { input: '{"content":"Offline"}' });
    const created = await shell.run(['--store', join(shell.home, 'y'), 'vault', 'create', '--node', NODE]);
    expect(created.code).toBe(EXIT.offline);
    node = await startNode();
    await shell.json(['vault', 'status']);
    const phone = ['--store', join(shell.home, 'phone'), 'vault', 'records', 'note', saved.id];
    expect(await shell.json(phone)).toMatchObject({ content: 'Offline' });
  });
});
