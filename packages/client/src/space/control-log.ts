/** The control log of one space as this client knows it: verified, kept, replayed into the access state, and appended to. */

import { bytesToHex, type Clock, equalBytes, err, ok, type Result } from '@sluice/core/base';
import { type SigningKey, writerId } from '@sluice/core/crypto';
import type { HlcClock } from '@sluice/core/record';
import {
  type AccessState,
  applyCtl,
  copyAccessState,
  createAccessState,
  createCtlEntry,
  ctlStreamId,
  type CtlEntry,
  type CtlPublic,
  NO_ENTRY,
  openCtlEntry,
  openGenesis,
  type Tampering,
} from '@sluice/core/stream';
import type { Entry, Page } from '@sluice/core/wire';
import { SluiceError } from '../errors.ts';
import type { StoreDb } from '../store/store-db.ts';
import type { SpaceStore } from '../store/space-store.ts';
import type { SpaceKeys } from './space-keys.ts';

/** A change of access rows or key epoch, before it is signed. */
export type ControlChange = { readonly public: CtlPublic; readonly sealed: Uint8Array | null };

/** The control entries of one space, folded into rows, and this writer’s own chain. */
export type ControlLog = {
  readonly state: AccessState;
  /** Makes signed entries that continue the signer's chain; they count once they come back in the node's order. */
  readonly write: (changes: readonly ControlChange[], signer: SigningKey) => readonly Entry[];
  /** Checks and folds a page. Returns what was new. */
  readonly addPage: (page: Page) => Result<readonly CtlEntry[], Tampering>;
  /** All that was ever verified here, in the order it was folded. */
  readonly entries: () => readonly Entry[];
};

/** Opens the control log from the local store. */
export function openControlLog(
  db: StoreDb,
  store: SpaceStore,
  keys: SpaceKeys,
  hlc: HlcClock,
  clock: Clock,
): ControlLog {
  const genesis = openGenesis(keys.genesis);
  if (!genesis.ok || !equalBytes(genesis.value.space, keys.space)) throw new SluiceError('TAMPERED');
  const stream = ctlStreamId(keys.space);
  const state = createAccessState(genesis.value.root);

  /** Expiry must not undo the past, so a row counts as of the entry's own stamp. */
  const fold = (entry: Entry): Result<CtlEntry | undefined, Tampering> => {
    const ctl = openCtlEntry(stream, entry);
    if (!ctl.ok) return err({ type: 'tampered', what: 'bad-seal' });
    const applied = applyCtl(state, ctl.value, entry, ctl.value.header.hlc.ms);
    if (applied.ok) return ok(ctl.value);
    if (applied.error.type === 'known') return ok(undefined);
    const what = applied.error.type === 'gap' ? 'gap' : applied.error.type === 'fork' ? 'fork' : 'foreign-writer';
    return err({ type: 'tampered', what });
  };

  const keep = (entry: Entry): void => {
    db.sql('INSERT INTO ctl (space, sent, header, body) VALUES (?, 1, ?, ?)').run(
      store.spaceRow,
      entry.header,
      entry.body,
    );
  };

  const entries = (): Entry[] =>
    db
      .sql('SELECT header, body FROM ctl WHERE space = ? ORDER BY id')
      .all(store.spaceRow)
      .map((row) => ({ header: row.header as Uint8Array, body: row.body as Uint8Array }));

  /** Folds anew what the store holds. */
  const reload = (): void => {
    state.rows.clear();
    state.chains.clear();
    state.epochs.clear();
    state.epoch = 0;
    for (const entry of entries()) fold(entry);
  };
  reload();

  /** What was folded counts once it is stored: on a full disk neither is. */
  const foldAndStore = <T>(body: () => T): T => {
    try {
      return db.transactLazily(body);
    } catch (cause) {
      reload();
      throw cause;
    }
  };

  return {
    state,
    entries,
    write: (changes, signer) => {
      const end = state.chains.get(bytesToHex(writerId(signer.publicKey))) ?? { n: 0, hash: NO_ENTRY };
      const scratch = copyAccessState(state);
      let { n, hash: previous } = end;
      return changes.map((change) => {
        const entry = createCtlEntry(
          signer,
          stream,
          { n: ++n, hlc: hlc.tick(), previous },
          change.public,
          change.sealed,
        );
        const opened = openCtlEntry(stream, entry);
        const applied = opened.ok ? applyCtl(scratch, opened.value, entry, clock.nowMs()) : opened;
        if (!applied.ok) throw new SluiceError('NOT_ALLOWED');
        previous = scratch.chains.get(bytesToHex(writerId(signer.publicKey)))?.hash ?? NO_ENTRY;
        return entry;
      });
    },
    addPage: (page) =>
      foldAndStore((): Result<readonly CtlEntry[], Tampering> => {
        if (page.head < store.cursor('ctl')) return err({ type: 'tampered', what: 'rollback' });
        const fresh: CtlEntry[] = [];
        for (const item of page.entries) {
          if (!item.body) return err({ type: 'tampered', what: 'malformed' });
          const entry = { header: item.header, body: item.body };
          if (isKept(db, store.spaceRow, entry)) continue;
          const folded = fold(entry);
          if (!folded.ok) return folded;
          if (folded.value) {
            keep(entry);
            fresh.push(folded.value);
          }
        }
        store.setCursor('ctl', page.cursor);
        return ok(fresh);
      }),
  };
}

/** Entries that this client wrote itself come back in the log; the same bytes are nothing new. */
const isKept = (db: StoreDb, space: number, entry: Entry): boolean =>
  db.sql('SELECT 1 FROM ctl WHERE space = ? AND header = ? AND body = ?').get(space, entry.header, entry.body) !==
  undefined;
