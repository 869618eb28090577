/** What is heard of accounts while they run: the owner's terms and keys go to the oracle, and a grantee must never be told what is not so. */

import type { Account, GrantHandle } from '@sluice/client';
import { base64urlToBytes, bytesToHex, type JsonObject, type JsonValue } from '@sluice/core/base';
import { type AeadKey, type EpochKey, keyCommitment, toAeadKey, toEpochKey } from '@sluice/core/crypto';
import type { GrantTerms } from '@sluice/core/grant';
import type { Blame } from './feed-model.ts';
import type { Oracle } from './oracle.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimDevice } from './sim-client.ts';

/** A device of an app's account. */
export type App = SimDevice & {
  /** Whose device it is. */
  readonly did: string;
  /** One that came when all was over. */
  readonly isLate: boolean;
  readonly handles: Map<string, GrantHandle>;
  /** See `OpenGrants`. */
  readonly own: Map<string, string>;
  /** Whether a write was accepted, by grant and number, as far as it was told of. */
  readonly verdicts: Map<string, boolean>;
  /** Requests that were answered. */
  readonly answered: Set<string>;
};

/** Keys of the owner, from when one of its devices has kept them. */
export type HeardKeys = {
  /** Hears of what a keychain holds, now and from now on. */
  readonly listen: (account: Account, oracle: Oracle) => void;
  /** A later key of a grant, by its commitment. */
  readonly grantKey: (grantId: string, commitment: string) => AeadKey | undefined;
  /** The key of an epoch of the space, by its commitment. */
  readonly epochKey: (commitment: Uint8Array) => EpochKey | undefined;
};

/** Nothing was heard yet. */
export function createHeardKeys(): HeardKeys {
  const keys = new Map<string, Uint8Array>();
  const epochs = new Map<string, EpochKey>();
  return {
    listen: (account, oracle) => {
      const { keychain } = account.open;
      const hear = (kind: JsonValue | undefined, id: string, item: JsonObject): void => {
        const [grantId = '', name] = id.split('/');
        if (kind === 'epoch' && typeof item.key === 'string') {
          const key = toEpochKey(base64urlToBytes(item.key));
          epochs.set(bytesToHex(keyCommitment(key)), key);
        }
        if (kind === 'grant-fact' && name === 'key') keys.set(id, base64urlToBytes(String(item.key)));
        if (kind !== 'grant' && !(kind === 'grant-fact' && name === 'terms')) return;
        oracle.learnTerms(grantId, Number(item.term ?? 0), item.terms as unknown as GrantTerms);
        oracle.learn(account.sharing.grants.list());
      };
      // Inside the transaction that brings them: they count from then on, whether or not the device lives to say so.
      keychain.collection.onChange(({ id, record }) => {
        if (record) hear(record.kind, id.slice(id.indexOf('/') + 1), (record.item ?? {}) as JsonObject);
      });
      for (const kind of ['epoch', 'grant', 'grant-fact'] as const)
        for (const { id, item } of keychain.list(kind)) hear(kind, id, item);
    },
    grantKey: (grantId, commitment) => {
      const key = keys.get(`${grantId}/key/${commitment}`);
      return key && toAeadKey(key);
    },
    epochKey: (commitment) => epochs.get(bytesToHex(commitment)),
  };
}

/** Listens to a grant that an app has opened. */
export function listenToGrant(
  { note }: Pick<Scheduler, 'note'>,
  blame: Blame,
  { name: app, verdicts, own }: Pick<App, 'name' | 'verdicts' | 'own'>,
  handle: GrantHandle,
): void {
  const name = `${app} ${handle.id.slice(0, 8)}`;
  note(`opened ${name}`);
  handle.onAlarm((alarm) => blame('no alarm', `${name}: ${alarm.what}`));
  handle.onVerdict(({ n, id, accepted, code }) => {
    const told = verdicts.get(`${handle.id}/${n}`);
    verdicts.set(`${handle.id}/${n}`, accepted);
    own.delete(`${handle.id}/${id}`);
    note(`${name} write ${n} ${accepted ? 'accepted' : code}`);
    if (told !== undefined && told !== accepted) blame('I7', `${name}: write ${n} has two verdicts`);
  });
  handle.changes(({ type, id, record, origin }) => {
    if (origin !== 'owner') return;
    const shown = own.get(`${handle.id}/${id}`);
    own.delete(`${handle.id}/${id}`);
    if (type === 'put' && shown === JSON.stringify(record))
      blame('I8', `${name}: its own write of ${id} comes as somebody else’s`);
  });
}
