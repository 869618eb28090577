/** What the benchmark reports: each figure with what is wanted, what peers reached, and what bounds it on the machine at hand. */

import { LIMIT, type LimitName } from './limits.ts';

export type Bounds = {
  /** A measured limit of this machine. */
  readonly of: (name: LimitName) => number;
  readonly synchronous: string;
};
export type FigureSpec = {
  readonly wanted?: string;
  /** Measured elsewhere, with SQLite at NORMAL where there is one. */
  readonly peers?: string;
  /** The raw work that no implementation can leave out, as this machine does it. */
  readonly bound?: (bounds: Bounds) => string;
};

const perSecond = (value: number): string => `${Math.round(value / 100) / 10}k/s`;
const ms = (value: number): string => `${value.toFixed(2)} ms`;
const insert = ({ of, synchronous }: Bounds): number =>
  of(synchronous === 'FULL' ? LIMIT.insertFull : LIMIT.insertNormal);
const commitMs = ({ of, synchronous }: Bounds): number =>
  1000 / of(synchronous === 'FULL' ? LIMIT.commitFull : LIMIT.commitNormal);

/** One record revealed to each of `count` grants: sealed and summed up by the owner, stored by the node, opened and stored by the grantee. */
const released =
  (count: number) =>
  (b: Bounds): string => {
    const signatures = count / b.of(LIMIT.sign) + count / b.of(LIMIT.verify);
    const seals = (2 * count) / b.of(LIMIT.seal) + (2 * count) / b.of(LIMIT.open);
    const rows = (4 * count) / insert(b);
    return `${count} of two seals, a signature and four rows: ${ms(1000 * (signatures + seals + rows))}`;
  };
const edit = (count: number, wanted?: string): FigureSpec => ({
  ...(wanted === undefined ? {} : { wanted }),
  bound: released(count),
});
const backfilled =
  (count: number) =>
  (b: Bounds): string =>
    `seal, open and insert four times ${count.toLocaleString('en')}: ${ms(1000 * count * (1 / b.of(LIMIT.seal) + 1 / b.of(LIMIT.open) + 4 / insert(b)))}`;
const liveBound = (b: Bounds): string => `two commits and an echo: ${ms(2 * commitMs(b) + b.of(LIMIT.echo))}`;

/** Figures by the name that a round gives them. */
export const FIGURES: { readonly [name: string]: FigureSpec } = {
  'ingest, records/s': {
    wanted: 'at least 8000',
    peers: 'RxDB hand-sealed, in memory 4,400; PouchDB as Verida uses it 1,200; Jazz 840',
    bound: (b) => `seal ${perSecond(b.of(LIMIT.seal))}, insert twice ${perSecond(insert(b) / 2)}`,
  },
  'initial sync, records/s': {
    wanted: 'at least 10000',
    peers: 'RxDB 6,700; PouchDB 1,100; Jazz 900',
    bound: (b) => `open ${perSecond(b.of(LIMIT.open))}, insert ${perSecond(insert(b))}`,
  },
  'filtered feed, ms': {
    wanted: 'under 300',
    peers: 'Jazz 1,500; PouchDB 8,200',
    bound: (b) => `open and insert 1,000: ${ms(1e6 / b.of(LIMIT.open) + 1e6 / insert(b))}`,
  },
  'filtered feed, wire bytes per match': { wanted: 'under 1600', bound: () => 'the record: 1,024' },
  'live p50, ms': {
    wanted: 'under 4',
    peers: 'Jazz 4.6; PouchDB 65',
    bound: liveBound,
  },
  'live p99, ms': { wanted: 'under 15', peers: 'Jazz 12; PouchDB 129' },
  'last of 50 grantees, ms': {
    wanted: 'under 50',
    peers: 'Jazz 60; RxDB 52',
    bound: (b) => `50 signatures made and checked: ${ms(50_000 / b.of(LIMIT.sign) + 50_000 / b.of(LIMIT.verify))}`,
  },
  'messages sealed and signed, /s': {
    wanted: 'at least 2500',
    peers: 'PouchDB 590; Jazz 2,700',
    bound: (b) => `HPKE and signature: ${perSecond(1 / (1 / b.of(LIMIT.hpkeSeal) + 1 / b.of(LIMIT.sign)))}`,
  },
  'messages drained and verified, /s': {
    wanted: 'at least 3000',
    peers: 'PouchDB 2,400; Jazz 6,900, sender unsigned',
    bound: (b) =>
      `HPKE and signature on one thread: ${perSecond(1 / (1 / b.of(LIMIT.hpkeOpen) + 1 / b.of(LIMIT.verify)))}`,
  },
  'open and first query, ms': {
    wanted: 'under 150',
    peers: 'Jazz 730; PouchDB 3,900',
    bound: (b) => `reading 10,000 rows: ${ms(1e7 / b.of(LIMIT.scan))}`,
  },
  'node disk per record, bytes': { wanted: 'under 1500', peers: '1,700', bound: () => 'the record: 1,024' },
  'node memory, MB': { wanted: 'under 200', peers: '153' },
  'backfill of all records, ms': { wanted: 'under 4000', bound: backfilled(10_000) },
  'backfill of a tenth, ms': { wanted: 'under 1000', bound: backfilled(1_000) },
  'resume after one change, bytes of the grant': { wanted: 'under 2048', bound: () => 'the record: 1,024' },
  'resume after one change, bytes of the connection': {},
  '1,000 filters on one record, ms': { wanted: 'under 0.2' },
  '1 grants: one edit to the last, ms': edit(1),
  '10 grants: one edit to the last, ms': edit(10),
  '100 grants: one edit to the last, ms': edit(100, 'under 250'),
  '1000 grants: one edit to the last, ms': edit(1000),
  'revoke to silence p99, ms': { wanted: 'under 100', bound: liveBound },
  'entries after the silence': { wanted: '0' },
  'another grant live, p95 with the writes, ms': { wanted: 'as without', bound: liveBound },
  'lane writes with their verdict, a minute': { wanted: '5000, as many as were written' },
};
