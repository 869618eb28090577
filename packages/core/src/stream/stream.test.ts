import { describe, expect, it } from 'vitest';
import { concatBytes } from '../base/bytes.ts';
import { type StreamId, toDid, toRowId, toSpaceId, toStreamId, type WriterId } from '../base/ids.ts';
import { type AeadKey, toAeadKey } from '../crypto/aead.ts';
import { writerId } from '../crypto/keys.ts';
import { createSigningKey, type SigningKey, type VerifyKey } from '../crypto/sign.ts';
import { decodeHeader, ENTRY_KIND, encodeHeader, type Header } from '../wire/header.ts';
import { parseSeal } from '../wire/seal.ts';
import { access, applyCtl, createAccessState, NO_ENTRY } from './access-state.ts';
import { type CtlRow, createCtlEntry, openCtlEntry, VERB } from './ctl-entry.ts';
import { createGenesis, ctlStreamId, inboxStreamId, openGenesis } from './genesis.ts';
import { entryHash, openEntry, sealEntry } from './sealed-entry.ts';
import { checkBatch, createSeal, NO_SEAL, openSeal } from './writer-seal.ts';

let draw = 0;
/** Seeded bytes: each call another, each run the same. */
const random = (length: number): Uint8Array => {
  draw++;
  return Uint8Array.from({ length }, (_, i) => (draw * 151 + i * 7 + (draw >> 3)) & 0xff);
};
const key: AeadKey = toAeadKey(random(32));
const stream: StreamId = toStreamId(concatBytes(Uint8Array.of(1), random(15)));
const device = createSigningKey(random);
const header = (n: number, more: Partial<Header> = {}): Header => ({
  writer: writerId(device.publicKey),
  n,
  tag: new Uint8Array(16).fill(n) as Header['tag'],
  kind: ENTRY_KIND.PUT,
  hlc: { ms: 1_700_000_000_000, counter: n },
  epoch: 1,
  superseded: [],
  expiresMs: null,
  ...more,
});
const flip = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((b, i) => (i === at ? b ^ 1 : b));
const text = (s: string): Uint8Array => new TextEncoder().encode(s);

describe('entries', () => {
  it('[ENT-1] a header has one encoding, and nothing else is read', () => {
    const encoded = encodeHeader(
      header(1, { superseded: [{ writer: writerId(device.publicKey), n: 7 }], expiresMs: 5 }),
    );
    const decoded = decodeHeader(encoded);
    expect(decoded.ok && encodeHeader(decoded.value)).toEqual(encoded);
    expect(decodeHeader(concatBytes(encoded, Uint8Array.of(0))).ok).toBe(false);
    expect(decodeHeader(flip(encoded, 1)).ok).toBe(false);
    expect(decodeHeader(encodeHeader(header(1, { kind: 9 as never }))).ok).toBe(false);
    const heads = Array.from({ length: 65 }, (_, n) => ({ writer: writerId(device.publicKey), n }));
    expect(decodeHeader(encodeHeader(header(1, { superseded: heads }))).ok).toBe(false);
  });

  it('[ENT-2] an entry’s hash changes with any byte', () => {
    const entry = sealEntry(key, stream, header(1), text('hello'), random);
    const hash = entryHash(entry);
    expect(entryHash({ ...entry })).toEqual(hash);
    for (let i = 0; i < entry.header.length; i += 5)
      expect(entryHash({ ...entry, header: flip(entry.header, i) })).not.toEqual(hash);
    expect(entryHash({ ...entry, body: flip(entry.body, 3) })).not.toEqual(hash);
    const moved = { header: concatBytes(entry.header, entry.body.subarray(0, 1)), body: entry.body.subarray(1) };
    expect(entryHash(moved)).not.toEqual(hash);
  });

  it('[ENT-3] [ENT-4] a body opens with its key, header and stream alone', () => {
    const entry = sealEntry(key, stream, header(1), text('hello'), random);
    const opened = openEntry(key, stream, entry);
    expect(opened.ok && new TextDecoder().decode(opened.value)).toBe('hello');
    const wrong = [
      openEntry(toAeadKey(random(32)), stream, entry),
      openEntry(key, toStreamId(flip(stream, 9)), entry),
      openEntry(key, stream, { ...entry, header: encodeHeader(header(2)) }),
      ...Array.from(entry.body.keys(), (i) => openEntry(key, stream, { ...entry, body: flip(entry.body, i) })),
    ];
    for (const result of wrong) expect(result).toEqual({ ok: false, error: { type: 'cannot-open' } });
  });
});

describe('seals', () => {
  const entries = [1, 2, 3].map((n) => sealEntry(key, stream, header(n), text(`entry ${n}`), random));
  const seal = createSeal(device, stream, 1, entries, NO_SEAL);

  it('[SEAL-1] a seal lists its entries and its predecessor', () => {
    const parsed = parseSeal(seal);
    expect(
      parsed.ok && { firstN: parsed.value.firstN, count: parsed.value.count, previous: parsed.value.previous },
    ).toEqual({ firstN: 1, count: 3, previous: NO_SEAL });
    expect(() => createSeal(device, stream, 1, [], NO_SEAL)).not.toThrow();
    expect(parseSeal(createSeal(device, stream, 1, [], NO_SEAL)).ok).toBe(false);
    expect(parseSeal(createSeal(device, stream, 0, entries, NO_SEAL)).ok).toBe(false);
  });

  it('[SEAL-2] only the writer’s own key makes it count', () => {
    expect(openSeal(seal, device.publicKey).ok).toBe(true);
    expect(openSeal(seal, createSigningKey(random).publicKey)).toEqual({ ok: false, error: { type: 'bad-seal' } });
    for (let i = 0; i < seal.length; i += 11) expect(openSeal(flip(seal, i), device.publicKey).ok).toBe(false);
  });

  it('[SEAL-3] a batch is exactly what the seal lists, in order', () => {
    const opened = openSeal(seal, device.publicKey);
    if (!opened.ok) throw new Error(opened.error.type);
    const [a, b, c] = entries as [(typeof entries)[0], (typeof entries)[0], (typeof entries)[0]];
    expect(checkBatch(opened.value, entries).ok).toBe(true);
    for (const wrong of [
      [a, b],
      [b, a, c],
      [a, b, c, c],
      [a, b, { ...c, body: flip(c.body, 0) }],
    ])
      expect(checkBatch(opened.value, wrong).ok).toBe(false);
  });
});

describe('control', () => {
  const root = createSigningKey(random);
  const node = toDid('did:web:node.sluice.test');
  const { space, signed } = createGenesis(root, node, random);
  const ctl = ctlStreamId(space);
  const row = (owner: SigningKey, more: Partial<CtlRow> = {}): CtlRow => ({
    type: 'row',
    id: toRowId(new Uint8Array(writerId(owner.publicKey))),
    key: owner.publicKey,
    role: 'admin',
    access: [],
    status: 'active',
    expiresMs: 0,
    perDay: 0,
    term: 0,
    statusMs: 0,
    ...more,
  });
  type State = ReturnType<typeof createAccessState>;
  const endOf = (state: State, signer: SigningKey) =>
    state.chains.get(hex(writerId(signer.publicKey))) ?? { n: 0, hash: NO_ENTRY };
  const hex = (id: WriterId): string => [...id].map((b) => b.toString(16).padStart(2, '0')).join('');
  const write = (state: State, signer: SigningKey, pub: CtlRow, ms: number) => {
    const end = endOf(state, signer);
    return createCtlEntry(signer, ctl, { n: end.n + 1, hlc: { ms, counter: 0 }, previous: end.hash }, pub, null);
  };
  const apply = (state: State, entry: ReturnType<typeof write>, nowMs = 10): string => {
    const opened = openCtlEntry(ctl, entry);
    if (!opened.ok) return opened.error.type;
    const applied = applyCtl(state, opened.value, entry, nowMs);
    return applied.ok ? 'ok' : applied.error.type;
  };
  const started = (): State => {
    const state = createAccessState(root.publicKey);
    expect(apply(state, write(state, root, row(device), 1))).toBe('ok');
    return state;
  };
  const may = (state: State, who: VerifyKey, nowMs = 10): string => access(state, who, { kind: 'own' }, 'write', nowMs);

  it('[CTL-1] a genesis is its root’s, and names the space', () => {
    const opened = openGenesis(signed);
    expect(opened.ok && opened.value).toEqual({ space, root: root.publicKey, node });
    for (let i = 0; i < signed.length; i += 9) expect(openGenesis(flip(signed, i)).ok).toBe(false);
  });

  it('[CTL-2] control and inbox streams follow from the space id', () => {
    expect(ctlStreamId(toSpaceId(new Uint8Array(space)))).toEqual(ctl);
    expect([ctl[0], inboxStreamId(space)[0]]).toEqual([2, 3]);
    expect(ctlStreamId(toSpaceId(random(32)))).not.toEqual(ctl);
  });

  it('[CTL-3] any changed byte of a control entry is refused', () => {
    const state = started();
    const entry = write(state, device, row(createSigningKey(random), { role: 'session' }), 2);
    expect(openCtlEntry(ctl, entry).ok).toBe(true);
    for (let i = 0; i < entry.body.length; i += 7)
      expect(openCtlEntry(ctl, { ...entry, body: flip(entry.body, i) }).ok).toBe(false);
    for (let i = 0; i < entry.header.length; i += 7)
      expect(openCtlEntry(ctl, { ...entry, header: flip(entry.header, i) }).ok).toBe(false);
    expect(openCtlEntry(toStreamId(flip(ctl, 4)), entry).ok).toBe(false);
  });

  it('[CTL-4] strangers and sessions sign nothing, except their own end', () => {
    const state = started();
    const session = createSigningKey(random);
    const stranger = createSigningKey(random);
    expect(
      apply(
        state,
        write(
          state,
          device,
          row(session, { role: 'session', access: [{ target: Uint8Array.of(1), verbs: VERB.read + VERB.write }] }),
          2,
        ),
      ),
    ).toBe('ok');
    expect(apply(state, write(state, stranger, row(stranger), 3))).toBe('forbidden');
    expect(apply(state, write(state, session, row(stranger), 3))).toBe('forbidden');
    expect(apply(state, write(state, session, row(session, { role: 'admin', status: 'revoked' }), 3))).toBe(
      'forbidden',
    );
    expect(apply(state, write(state, session, row(session, { role: 'session', status: 'revoked' }), 3))).toBe('ok');
    expect(may(state, session.publicKey)).toBe('revoked');
  });

  it('[CTL-5] chains are dense: gap, fork and repeat are told apart', () => {
    const state = started();
    const first = write(state, device, row(createSigningKey(random), { role: 'session' }), 2);
    const other = write(state, device, row(createSigningKey(random), { role: 'session' }), 2);
    const skipped = createCtlEntry(
      device,
      ctl,
      { n: 5, hlc: { ms: 2, counter: 0 }, previous: NO_ENTRY },
      row(device),
      null,
    );
    expect(apply(state, skipped)).toBe('gap');
    expect(apply(state, first)).toBe('ok');
    expect(apply(state, first)).toBe('known');
    expect(apply(state, other)).toBe('fork');
    const broken = createCtlEntry(
      device,
      ctl,
      { n: 2, hlc: { ms: 3, counter: 0 }, previous: NO_ENTRY },
      row(device),
      null,
    );
    expect(apply(state, broken)).toBe('fork');
  });

  it('[CTL-6] revoked wins for ever, in any order', () => {
    const second = createSigningKey(random);
    const who = createSigningKey(random);
    const build = (order: readonly number[]): string => {
      const state = started();
      expect(apply(state, write(state, device, row(second), 2))).toBe('ok');
      const steps = [
        () =>
          apply(
            state,
            write(
              state,
              device,
              row(who, { role: 'grantee', status: 'revoked', access: [{ target: Uint8Array.of(1), verbs: 3 }] }),
              5,
            ),
          ),
        () =>
          apply(
            state,
            // Resumed, by a device that decided later.
            write(
              state,
              second,
              row(who, { role: 'grantee', access: [{ target: Uint8Array.of(1), verbs: 3 }], statusMs: 9 }),
              9,
            ),
          ),
        () =>
          apply(
            state,
            write(state, second, row(who, { role: 'grantee', access: [{ target: Uint8Array.of(1), verbs: 3 }] }), 3),
          ),
      ];
      for (const i of order) steps[i]?.();
      return may(state, who.publicKey);
    };
    for (const order of [
      [0, 1, 2],
      [1, 0, 2],
      [2, 1, 0],
      [1, 2, 0],
      [0, 2, 1],
      [2, 0, 1],
    ])
      expect(build(order)).toBe('revoked');
  });

  it('[CTL-7] a row ends at its expiry', () => {
    const state = started();
    const guest = createSigningKey(random);
    apply(
      state,
      write(
        state,
        device,
        row(guest, { role: 'session', expiresMs: 100, access: [{ target: Uint8Array.of(1), verbs: 3 }] }),
        2,
      ),
    );
    expect([may(state, guest.publicKey, 99), may(state, guest.publicKey, 100)]).toEqual(['allowed', 'revoked']);
    expect(access(state, guest.publicKey, { kind: 'ctl' }, 'read', 50)).toBe('forbidden');
  });

  it('[CTL-8] the root opens everything, and a stranger nothing', () => {
    const state = started();
    expect([may(state, root.publicKey), may(state, createSigningKey(random).publicKey)]).toEqual([
      'allowed',
      'forbidden',
    ]);
    expect([...state.rows.values()].some((r) => r.key === root.publicKey)).toBe(false);
  });
});
