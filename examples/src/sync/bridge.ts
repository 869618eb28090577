/** A bridge: an application that reads a filtered stream from one grant and writes it into another. */

import { type FeedChange, type GrantHandle, SluiceError } from '@sluice/client';
import type { JsonObject } from '@sluice/core/base';

/** What a bridge did with one change. */
export type Carried = 'written' | 'unchanged' | 'own' | 'refused';

// #region bridge
/**
 * Carries what `from` reveals into `to`, now and from now on. `sameAs` finds the record on the other side, by something both sides share:
 * ids differ in every grant. Two things end every circle: what this application wrote itself comes back with `origin: 'self'`, and a
 * record that says what the other side says already is not written, whichever application brought it there.
 */
export function bridge(
  from: GrantHandle,
  to: GrantHandle,
  sameAs: (record: JsonObject) => JsonObject,
  carried: (what: Carried, record?: JsonObject) => void = () => undefined,
): () => void {
  const carry = async ({ origin, record }: Pick<FeedChange, 'origin' | 'record'>): Promise<Carried> => {
    if (origin === 'self') return 'own';
    if (!record) return 'unchanged'; // a record that left the filter is not taken away on the other side
    const { _id, _rev, schema, insertedAt, modifiedAt, ...content } = record; // content is what is said, and no name of it
    const there = await to.datastore().getOne(sameAs(record));
    try {
      const { n } = await to.datastore().save({ ...there, ...content });
      return n === undefined ? 'unchanged' : 'written'; // and it shows at once
    } catch (cause) {
      if (cause instanceof SluiceError) return 'refused'; // by this side already: the terms of `to` do not let it
      throw cause;
    }
  };
  // One after the other, so that of two changes to one record the second finds what the first has written.
  let last = Promise.resolve();
  const enqueue = (change: Parameters<typeof carry>[0]): void => {
    last = last.then(async () => carried(await carry(change), change.record));
  };
  const stops = [from.changes(enqueue), to.onVerdict(({ accepted }) => accepted || carried('refused'))];
  last = last.then(async () => {
    for (const record of await from.datastore().getMany({}, { limit: 1000 })) enqueue({ origin: 'owner', record });
  });
  return () => {
    for (const stop of stops) stop();
  };
}
// #endregion
