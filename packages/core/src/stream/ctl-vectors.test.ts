/** vectors/ctl.json: genesis, control entries, and whole logs with what they allow; written by the second writer. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hexToBytes } from '../base/bytes.ts';
import { toDid, toRowId, toSpaceId, toStreamId } from '../base/ids.ts';
import * as second from '../base/second-writer.oracle.ts';
import { hex } from '../base/second-writer.oracle.ts';
import { signingKeyFromSeed, toVerifyKey } from '../crypto/sign.ts';
import { access, applyCtl, createAccessState, grantTerm } from './access-state.ts';
import { ctlVectors, feed, type PublicValue, text } from './ctl-cases.oracle.ts';
import { createCtlEntry, type CtlPublic, openCtlEntry, type Role } from './ctl-entry.ts';
import { createGenesis, ctlStreamId, inboxStreamId, openGenesis } from './genesis.ts';
const FILE = new URL('../../../../vectors/ctl.json', import.meta.url);

type Vectors = ReturnType<typeof ctlVectors>;
const read = (): Vectors => JSON.parse(readFileSync(FILE, 'utf8')) as Vectors;

const toPublic = (p: PublicValue): CtlPublic =>
  p.type === 'row'
    ? {
        ...p,
        id: toRowId(hexToBytes(p.id)),
        key: hexToBytes(p.key),
        role: p.role as Role,
        status: p.status as 'active' | 'paused' | 'revoked',
        access: p.access.map((a) => ({ target: hexToBytes(a.target), verbs: a.verbs })),
      }
    : {
        ...p,
        commitment: hexToBytes(p.commitment),
        keys: p.keys.map((k) => ({ row: toRowId(hexToBytes(k.row)), sealed: hexToBytes(k.sealed) })),
      };
const bytesOf = (e: { readonly header: string; readonly body: string }) => ({
  header: hexToBytes(e.header),
  body: hexToBytes(e.body),
});

describe('vectors/ctl.json', () => {
  it('is what the second writer writes', async () => {
    await expect(second.vectorText(ctlVectors())).toMatchFileSnapshot(FILE.pathname);
  });

  it('[CTL-1] [CTL-2] a genesis is written as stated and names space and streams', () => {
    const { genesis: g, genesisRefused } = read();
    const signer = signingKeyFromSeed(hexToBytes(g.seed));
    const made = createGenesis(signer, toDid(g.node), () => hexToBytes(g.nonce));
    expect([hex(made.signed), hex(made.space)]).toEqual([g.signed, g.space]);
    expect(openGenesis(hexToBytes(g.signed))).toEqual({
      ok: true,
      value: { space: hexToBytes(g.space), root: signer.publicKey, node: g.node },
    });
    const id = toSpaceId(hexToBytes(g.space));
    expect([hex(ctlStreamId(id)), hex(inboxStreamId(id))]).toEqual([g.ctlStream, g.inboxStream]);
    for (const { name, signed } of genesisRefused)
      expect(openGenesis(hexToBytes(signed)), name).toEqual({ ok: false, error: { type: 'malformed' } });
  });

  it('[CTL-3] each entry is written as stated and reads as it says', () => {
    const at = toStreamId(hexToBytes(read().genesis.ctlStream));
    for (const item of read().entries) {
      const place = { n: item.n, hlc: { ms: item.ms, counter: 0 }, previous: hexToBytes(item.previous) };
      const sealed = item.sealed === null ? null : hexToBytes(item.sealed);
      const signer = signingKeyFromSeed(hexToBytes(item.seed));
      const made = createCtlEntry(signer, at, place, toPublic(item.public), sealed);
      expect(text(made), item.name).toEqual({ header: item.header, body: item.body });
      const opened = openCtlEntry(at, bytesOf(item));
      expect(opened, item.name).toMatchObject({ ok: true, value: { public: toPublic(item.public), sealed } });
    }
  });

  it('[CTL-3] each other entry is refused', () => {
    for (const { name, stream, header, body, error } of read().entriesRefused)
      expect(openCtlEntry(toStreamId(hexToBytes(stream)), bytesOf({ header, body })), name).toEqual({
        ok: false,
        error: { type: error },
      });
  });

  it('[CTL-4] [CTL-5] [CTL-6] [CTL-7] [CTL-8] [CTL-10] [CTL-11] each log gives the results and the access stated', () => {
    const { genesis: g, logs } = read();
    for (const log of logs) {
      const state = createAccessState(signingKeyFromSeed(hexToBytes(g.seed)).publicKey);
      const results = log.steps.map((step) => {
        const ctl = openCtlEntry(toStreamId(hexToBytes(g.ctlStream)), bytesOf(step));
        if (!ctl.ok) return ctl.error.type;
        const applied = applyCtl(state, ctl.value, bytesOf(step), step.nowMs);
        return applied.ok ? 'ok' : applied.error.type;
      });
      expect(results, log.name).toEqual(log.steps.map(({ result }) => result));
      expect(state.epoch, log.name).toBe(log.epoch);
      expect(grantTerm(state, feed), log.name).toBe(log.term);
      const verdicts = log.access.map((q) => {
        const target = { kind: q.kind, ...(q.stream ? { stream: toStreamId(hexToBytes(q.stream)) } : {}) };
        return { ...q, verdict: access(state, toVerifyKey(hexToBytes(q.key)), target, q.verb, q.nowMs) };
      });
      expect(verdicts, log.name).toEqual(log.access);
    }
  });
});
