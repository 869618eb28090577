/** The cases of vectors/ctl.json: genesis, control entries, and whole logs with what they allow; written by the second writer. */

import * as second from '../base/second-writer.oracle.ts';
import { type Bytes, fill, flip, hex, unhex } from '../base/second-writer.oracle.ts';
import type { Entry } from '../wire/entry.ts';
import type { StreamKind } from '../wire/header.ts';
import type { Role } from './ctl-entry.ts';

const NODE = 'did:web:node.sluice.test';
const seeds = {
  root: fill(32, 1),
  device: fill(32, 2),
  phone: fill(32, 3),
  session: fill(32, 4),
  grantee: fill(32, 5),
  stranger: fill(32, 6),
};
type Who = keyof typeof seeds;
const keyOf = (who: Who): Bytes => second.publicKey(seeds[who]);
const NONE = fill(32, 0);

const record = second.cbor([1, keyOf('root'), NODE, fill(16, 9)]);
const genesis = second.cbor([record, second.sign(seeds.root, 'sluice/genesis/1', record)]);
const space = second.sha256(record);
const publicStream = (kind: number, domain: string): Bytes =>
  second.join(Uint8Array.of(kind), second.sha256(second.utf8(`${domain}\0`), space).slice(0, 15));
const stream = publicStream(2, 'sluice/ctl-stream/1');
/** The one feed of the logs. */
export const feed = second.join(Uint8Array.of(4), fill(15, 0xfe));

type RowValue = {
  readonly type: 'row';
  readonly id: string;
  readonly key: string;
  readonly role: string;
  readonly access: readonly { readonly target: string; readonly verbs: number }[];
  readonly status: string;
  readonly expiresMs: number;
  readonly perDay: number;
  readonly term: number;
  readonly statusMs: number;
};
type EpochValue = {
  readonly type: 'epoch';
  readonly epoch: number;
  readonly commitment: string;
  readonly keys: readonly { readonly row: string; readonly sealed: string }[];
};
/** The public part of an entry, bytes in hex. */
export type PublicValue = RowValue | EpochValue;

const row = (who: Who, role: Role, more: Partial<RowValue> = {}): RowValue => ({
  type: 'row',
  id: hex(second.writerId(keyOf(who))),
  key: hex(keyOf(who)),
  role,
  access: [],
  status: 'active',
  expiresMs: 0,
  perDay: 0,
  term: 0,
  statusMs: 0,
  ...more,
});
/** Kind `own` of the space to read and write, and the control log to read. */
const SILO = [
  { target: '01', verbs: 3 },
  { target: '02', verbs: 1 },
];

/** CTL-3. */
const publicArray = (p: PublicValue): unknown[] =>
  p.type === 'row'
    ? [
        'row',
        unhex(p.id),
        unhex(p.key),
        p.role,
        p.access.map((a) => [unhex(a.target), a.verbs]),
        p.status,
        p.expiresMs,
        p.perDay,
        p.term,
        p.statusMs,
      ]
    : ['epoch', p.epoch, unhex(p.commitment), p.keys.map((k) => [unhex(k.row), unhex(k.sealed)])];

type Draft = {
  readonly by: Who;
  readonly n: number;
  readonly ms: number;
  readonly previous: Uint8Array;
  readonly public: PublicValue;
  readonly sealed?: Uint8Array;
  readonly tag?: string;
  readonly kind?: number;
  readonly publicBytes?: Uint8Array;
};
function write(d: Draft): second.EntryBytes {
  const pub = d.publicBytes ?? second.cbor(publicArray(d.public));
  const sealed = d.sealed ?? null;
  const header = second.header({
    writer: hex(second.writerId(keyOf(d.by))),
    n: d.n,
    tag: d.tag ?? (d.public.type === 'row' ? d.public.id : '00'.repeat(16)),
    kind: d.kind ?? 7,
    ms: d.ms,
    counter: 0,
    epoch: 0,
    superseded: [],
    expiresMs: null,
  });
  const parts = [stream, d.previous, second.sha256(pub), second.sha256(sealed ?? new Uint8Array(0)), header];
  const signature = second.sign(seeds[d.by], 'sluice/ctl/1', ...parts);
  return { header, body: second.cbor([pub, sealed, d.previous, keyOf(d.by), signature]) };
}
/** An entry in hex. */
export const text = (e: Entry) => ({ header: hex(e.header), body: hex(e.body) });

const ENTRIES: readonly (Draft & { readonly name: string })[] = [
  {
    name: 'the root lets the first device in',
    by: 'root',
    n: 1,
    ms: 1000,
    previous: NONE,
    public: row('device', 'admin'),
  },
  {
    name: 'a session of a silo, with a sealed part',
    by: 'device',
    n: 1,
    ms: 2000,
    previous: NONE,
    public: row('session', 'session', { access: SILO, expiresMs: 9000 }),
    sealed: fill(40, 0x77),
  },
  {
    name: 'a grantee of one feed, revoked',
    by: 'device',
    n: 24,
    ms: 3000,
    previous: fill(32, 0xaa),
    public: row('grantee', 'grantee', {
      id: '0c'.repeat(16),
      access: [{ target: hex(feed), verbs: 1 }],
      status: 'revoked',
    }),
  },
  {
    name: 'a new epoch with a key for one row',
    by: 'device',
    n: 2,
    ms: 4000,
    previous: fill(32, 0xbb),
    public: {
      type: 'epoch',
      epoch: 2,
      commitment: '0f'.repeat(32),
      keys: [{ row: '0d'.repeat(16), sealed: '0e'.repeat(48) }],
    },
  },
];

function entriesRefused() {
  const draft = ENTRIES[1] as Draft;
  const good = write(draft);
  const body = (change: (fields: unknown[]) => void): second.EntryBytes => {
    const pub = second.cbor(publicArray(draft.public));
    const sealed = draft.sealed as Uint8Array;
    const parts = [stream, NONE, second.sha256(pub), second.sha256(sealed), good.header];
    const fields: unknown[] = [pub, sealed, NONE, keyOf('device'), second.sign(seeds.device, 'sluice/ctl/1', ...parts)];
    change(fields);
    return { header: good.header, body: second.cbor(fields) };
  };
  const refused = (name: string, entry: second.EntryBytes, error: string, at = stream) => ({
    name,
    stream: hex(at),
    ...text(entry),
    error,
  });
  const put = (i: number, value: unknown) => body((fields) => fields.splice(i, 1, value));
  const short = body((fields) => fields.pop());
  const badPublic = (...fields: unknown[]) => write({ ...draft, publicBytes: second.cbor(fields) });
  /** All but one field is as it should be. */
  const badRow = (...fields: unknown[]) =>
    badPublic('row', ...fields, ...[id, key, 'admin', [], 'active', 0, 0, 0, 0].slice(fields.length));
  const r = draft.public as RowValue;
  const [id, key] = [unhex(r.id), unhex(r.key)];
  return [
    refused('another stream', good, 'bad-ctl', flip(stream, 15)),
    refused('another row', put(0, second.cbor(publicArray({ ...r, expiresMs: 9001 }))), 'bad-ctl'),
    refused('another sealed part', put(1, fill(40, 0x78)), 'bad-ctl'),
    refused('no sealed part', put(1, null), 'bad-ctl'),
    refused('another previous entry', put(2, fill(32, 1)), 'bad-ctl'),
    refused('another signer', put(3, keyOf('stranger')), 'bad-ctl'),
    refused('another signature', put(4, fill(64, 1)), 'bad-ctl'),
    refused('another time', { ...good, header: write({ ...draft, ms: 2001 }).header }, 'bad-ctl'),
    refused('the tag of another row', write({ ...draft, tag: '0f'.repeat(16) }), 'bad-ctl'),
    refused('another kind of entry', write({ ...draft, kind: 1 }), 'malformed'),
    refused('a field too few', short, 'malformed'),
    refused('a public part that is no CBOR', put(0, fill(3, 0xff)), 'malformed'),
    refused('an unknown type of public part', badPublic('grant', id, key), 'malformed'),
    refused('an unknown role', badRow(id, key, 'owner'), 'malformed'),
    refused('an unknown status', badRow(id, key, 'admin', [], 'ended'), 'malformed'),
    refused('verbs beyond read and write', badRow(id, key, 'session', [[fill(1, 1), 4]]), 'malformed'),
    refused('a target of 17 bytes', badRow(id, key, 'session', [[fill(17, 1), 1]]), 'malformed'),
    refused('65 targets', badRow(id, key, 'session', Array(65).fill([fill(1, 1), 1])), 'malformed'),
    refused('a row id of 15 bytes', badRow(fill(15, 1)), 'malformed'),
    refused('a negative expiry', badRow(id, key, 'admin', [], 'active', -1), 'malformed'),
    refused('a number of terms of 33 bits', badRow(id, key, 'admin', [], 'active', 0, 0, 2 ** 32), 'malformed'),
    refused('no instant of its status', badPublic('row', id, key, 'admin', [], 'active', 0, 0, 0), 'malformed'),
  ];
}

type Step = { readonly entry: second.EntryBytes; readonly nowMs: number; readonly result: string };
type Question = {
  readonly key: string;
  readonly kind: StreamKind;
  readonly stream?: string;
  readonly verb: 'read' | 'write';
  readonly nowMs: number;
  readonly verdict: string;
};

/** Builds a log step by step, keeping the chain of each signer as long as its entries count. */
function logOf() {
  const steps: Step[] = [];
  const ends = new Map<Who, { n: number; hash: Uint8Array }>();
  const add = (
    by: Who,
    ms: number,
    pub: PublicValue,
    result = 'ok',
    more: Partial<Draft> & { nowMs?: number } = {},
  ) => {
    const end = ends.get(by) ?? { n: 0, hash: NONE };
    const { nowMs = ms, ...draft } = more;
    const entry = write({ by, n: end.n + 1, ms, previous: end.hash, public: pub, ...draft });
    steps.push({ entry, nowMs, result });
    if (result === 'ok') ends.set(by, { n: end.n + 1, hash: second.entryHash(entry) });
    return entry;
  };
  return { steps, add };
}
const ask = (
  who: Who,
  kind: StreamKind,
  verb: 'read' | 'write',
  nowMs: number,
  verdict: string,
  at?: Uint8Array,
): Question => ({
  key: hex(keyOf(who)),
  kind,
  ...(at ? { stream: hex(at) } : {}),
  verb,
  nowMs,
  verdict,
});

function logs() {
  const chains = logOf();
  const first = chains.add('root', 10, row('device', 'admin'));
  chains.steps.push({ entry: first, nowMs: 11, result: 'known' });
  chains.add('root', 12, row('phone', 'admin'), 'fork', { n: 1, previous: NONE });
  chains.add('root', 13, row('phone', 'admin'), 'gap', { n: 3 });
  chains.add('root', 14, row('phone', 'admin'), 'fork', { previous: NONE });
  chains.add('root', 15, row('phone', 'admin'));
  chains.add('phone', 16, row('session', 'session', { access: SILO }));

  const signers = logOf();
  signers.add('stranger', 5, row('stranger', 'admin'), 'forbidden');
  signers.add('root', 10, row('device', 'admin'));
  signers.add('device', 20, row('session', 'session', { access: SILO }));
  signers.add('session', 30, row('stranger', 'session', { access: SILO }), 'forbidden');
  signers.add('session', 31, row('session', 'admin', { status: 'revoked' }), 'forbidden');
  const ended = row('session', 'session', { status: 'revoked' });
  signers.add('session', 31, { ...ended, id: hex(second.writerId(keyOf('stranger'))) }, 'forbidden');
  signers.add('session', 31, { ...ended, key: hex(keyOf('stranger')) }, 'forbidden');
  signers.add('session', 32, ended);
  signers.add('device', 40, row('phone', 'admin', { expiresMs: 100 }));
  signers.add('phone', 99, row('grantee', 'grantee', { access: [{ target: hex(feed), verbs: 1 }] }));
  signers.add('phone', 100, row('stranger', 'admin'), 'revoked');
  signers.add('phone', 101, row('phone', 'admin', { status: 'revoked', expiresMs: 100 }));

  const rows = logOf();
  rows.add('root', 10, row('device', 'admin'));
  rows.add('root', 11, row('phone', 'admin'));
  rows.add('device', 50, row('session', 'session', { access: SILO }));
  rows.add('phone', 40, row('session', 'session', { access: [{ target: '01', verbs: 1 }] }));
  rows.add('phone', 41, row('grantee', 'grantee', { status: 'revoked', access: [{ target: hex(feed), verbs: 1 }] }));
  rows.add('device', 60, row('grantee', 'grantee', { access: [{ target: hex(feed), verbs: 1 }] }));
  rows.add('device', 61, row('session', 'session', { access: SILO, key: hex(keyOf('stranger')) }));
  rows.add('device', 62, row('session', 'admin', { access: SILO }));
  rows.add('device', 70, { type: 'epoch', epoch: 3, commitment: '03'.repeat(32), keys: [] });
  rows.add('device', 80, { type: 'epoch', epoch: 2, commitment: '02'.repeat(32), keys: [] });

  const terms = logOf();
  const given = { access: [{ target: hex(feed), verbs: 1 }] };
  terms.add('root', 10, row('device', 'admin'));
  terms.add('root', 11, row('phone', 'admin'));
  terms.add('device', 50, row('grantee', 'grantee', { ...given, term: 2, expiresMs: 80 }));
  terms.add('phone', 60, row('grantee', 'grantee', { ...given, term: 1 }));
  terms.add('phone', 40, row('grantee', 'grantee', { ...given, term: 3, expiresMs: 70 }));
  terms.add('device', 62, row('grantee', 'grantee', given));
  terms.add('phone', 61, row('session', 'session', { ...given, term: 9 }));

  const pauses = logOf();
  pauses.add('root', 10, row('device', 'admin'));
  pauses.add('root', 11, row('phone', 'admin'));
  pauses.add('device', 50, row('grantee', 'grantee', given));
  pauses.add('phone', 60, row('grantee', 'grantee', { ...given, status: 'paused', statusMs: 60 }));
  pauses.add('device', 70, row('grantee', 'grantee', { ...given, term: 1, expiresMs: 200 }));
  const resumes = logOf();
  resumes.add('root', 10, row('device', 'admin'));
  resumes.add('root', 11, row('phone', 'admin'));
  resumes.add('device', 50, row('grantee', 'grantee', { ...given, status: 'paused', statusMs: 50 }));
  resumes.add('phone', 60, row('grantee', 'grantee', { ...given, statusMs: 60 }));
  resumes.add('device', 70, row('grantee', 'grantee', { ...given, status: 'paused', statusMs: 50, term: 1 }));

  return [
    {
      name: 'each signer has one dense chain',
      ...chains,
      epoch: 0,
      access: [ask('device', 'ctl', 'write', 20, 'allowed'), ask('session', 'own', 'write', 20, 'allowed')],
    },
    {
      name: 'who may sign',
      ...signers,
      epoch: 0,
      access: [
        ask('root', 'own', 'write', 50, 'allowed'),
        ask('device', 'feed', 'write', 50, 'allowed', feed),
        ask('stranger', 'own', 'read', 50, 'forbidden'),
        ask('session', 'own', 'read', 50, 'revoked'),
        ask('session', 'ctl', 'read', 50, 'revoked'),
        ask('session', 'inbox', 'read', 50, 'forbidden'),
        ask('phone', 'own', 'read', 50, 'revoked'),
        ask('grantee', 'feed', 'read', 200, 'allowed', feed),
        ask('grantee', 'feed', 'write', 200, 'forbidden', feed),
        ask('grantee', 'feed', 'read', 200, 'forbidden', flip(feed, 1)),
        ask('grantee', 'own', 'read', 200, 'forbidden'),
      ],
    },
    {
      name: 'the later stamp wins, but for key and role, and revoked wins over all; an epoch never falls',
      ...rows,
      epoch: 3,
      access: [
        ask('session', 'own', 'write', 90, 'allowed'),
        ask('session', 'ctl', 'write', 90, 'forbidden'),
        ask('stranger', 'own', 'read', 90, 'forbidden'),
        ask('grantee', 'feed', 'read', 90, 'revoked', feed),
      ],
    },
    {
      name: 'the number of a grant’s terms never falls, whichever row is later',
      ...terms,
      epoch: 0,
      access: [ask('grantee', 'feed', 'read', 90, 'allowed', feed)],
      term: 3,
    },
    {
      name: 'a later row that knows nothing of a pause does not end it, and what else it says holds',
      ...pauses,
      epoch: 0,
      access: [
        ask('grantee', 'feed', 'read', 90, 'paused', feed),
        ask('grantee', 'feed', 'read', 200, 'revoked', feed),
      ],
      term: 1,
    },
    {
      name: 'a later row that knows nothing of a resume does not undo it',
      ...resumes,
      epoch: 0,
      access: [ask('grantee', 'feed', 'read', 90, 'allowed', feed)],
      term: 1,
    },
  ].map(({ name, steps, epoch, access, ...more }) => ({
    ...{ name, term: 0, ...more },
    steps: steps.map(({ entry, nowMs, result }) => ({ ...text(entry), nowMs, result })),
    epoch,
    access,
  }));
}

const changedGenesis = (...fields: unknown[]) => {
  const changed = second.cbor(fields);
  return hex(second.cbor([changed, second.sign(seeds.root, 'sluice/genesis/1', changed)]));
};
/** All cases. */
export const ctlVectors = () => ({
  about:
    'Cases for spec/ctl.md. Bytes are hex, times ms. Seeds are 32 equal bytes: root 01, device 02, phone 03, session 04, grantee 05, stranger 06. ' +
    'A log starts from the root of `genesis`; `result` is what each entry in turn amounts to, `access` what holds after all, `term` the number of the terms of the one feed.',
  genesis: {
    seed: hex(seeds.root),
    node: NODE,
    nonce: hex(fill(16, 9)),
    record: hex(record),
    signed: hex(genesis),
    space: hex(space),
    ctlStream: hex(stream),
    inboxStream: hex(publicStream(3, 'sluice/inbox-stream/1')),
  },
  genesisRefused: [
    { name: 'another signature', signed: hex(flip(genesis, genesis.length - 1)) },
    {
      name: 'another nonce',
      signed: hex(second.cbor([flip(record, record.length - 1), second.sign(seeds.root, 'sluice/genesis/1', record)])),
    },
    {
      name: 'signed by another key',
      signed: hex(second.cbor([record, second.sign(seeds.device, 'sluice/genesis/1', record)])),
    },
    { name: 'version 2', signed: changedGenesis(2, keyOf('root'), NODE, fill(16, 9)) },
    { name: 'a node that is no DID', signed: changedGenesis(1, keyOf('root'), 'node', fill(16, 9)) },
    { name: 'a nonce of 15 bytes', signed: changedGenesis(1, keyOf('root'), NODE, fill(15, 9)) },
    {
      name: 'a root of small order',
      signed: hex(second.cbor([second.cbor([1, fill(32, 0), NODE, fill(16, 9)]), fill(64, 0)])),
    },
  ],
  entries: ENTRIES.map(({ name, by, n, ms, previous, public: pub, sealed }) => {
    const entry = write({ by, n, ms, previous, public: pub, ...(sealed ? { sealed } : {}) });
    return {
      name,
      seed: hex(seeds[by]),
      n,
      ms,
      previous: hex(previous),
      public: pub,
      sealed: sealed ? hex(sealed) : null,
      ...text(entry),
      hash: hex(second.entryHash(entry)),
    };
  }),
  entriesRefused: entriesRefused(),
  logs: logs(),
});
