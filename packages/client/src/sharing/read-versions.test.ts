import type { JsonObject } from '@sluice/core/base';
import type { MergeRules } from '@sluice/core/record';
import { describe, expect, it } from 'vitest';
import { SluiceError } from '../errors.ts';
import { createReadVersions } from './read-versions.ts';

const MERGES: MergeRules = new Map([
  ['tags', 'set'],
  ['likes', 'counter'],
  ['best', 'max'],
]);
const CARD: JsonObject = { _id: 'a', name: 'Kim', mobile: '1', tags: ['club'], likes: 5, modifiedAt: 't1' };
const open = () => createReadVersions(MERGES);
const revOf = (record: JsonObject): unknown => open().give(record)._rev;

/** What a save is refused with. */
function refusal(save: () => unknown): string {
  try {
    save();
  } catch (cause) {
    if (cause instanceof SluiceError) return `${cause.code}: ${cause.message}`;
    throw cause;
  }
  return 'none';
}

describe('a version of a record that was read', () => {
  it('[LANE-22] is named by what can be set of the record, and by whose it is', () => {
    expect(revOf(CARD)).toMatch(/^[0-9a-f]{24}$/);
    expect(revOf({ ...CARD, modifiedAt: 't2', schema: 's' })).toBe(revOf(CARD));
    for (const other of [
      { ...CARD, mobile: '2' },
      { ...CARD, _id: 'b' },
      { ...CARD, note: '' },
    ])
      expect(revOf(other)).not.toBe(revOf(CARD));
  });

  it('[LANE-22] is what a save of it changes, and no field that others changed since', () => {
    const versions = open();
    const read = versions.give(CARD);
    const now = { ...CARD, name: 'Kim Lee', note: 'new' };
    const { mobile: _, ...without } = read;
    expect(versions.changeBy({ ...read, mobile: '2' }, now)).toEqual({ set: { mobile: '2' }, remove: [] });
    expect(versions.changeBy(without, now)).toEqual({ set: {}, remove: ['mobile'] });
    expect(versions.changeBy(read, now)).toEqual({ set: {}, remove: [] });
    // What the record says already is no news.
    expect(versions.changeBy({ ...read, name: 'Kim Lee', note: 'new' }, now)).toEqual({ set: {}, remove: [] });
    expect(versions.changeBy(without, { _id: 'a' })).toEqual({ set: {}, remove: [] });
  });

  it('[LANE-22] stays what it was when the application changes what it was given', () => {
    const versions = open();
    const read = versions.give({ _id: 'a', list: ['x'] });
    (read.list as string[]).push('y');
    expect(versions.changeBy(read, { _id: 'a', list: ['x'] }).set).toEqual({ list: ['x', 'y'] });
    expect(versions.changeBy(read, { _id: 'a', list: ['x'], name: 'new' }).set).toEqual({ list: ['x', 'y'] });
  });

  it('[LANE-22] is refused where both have changed one field, and not where the other change was its own', () => {
    const versions = open();
    const read = versions.give(CARD);
    const byOwner = { ...CARD, mobile: '3' };
    const { mobile: _, ...without } = read;
    const conflict =
      'REV_CONFLICT: Somebody else has changed mobile since the record was read. Read it again and save on top.';
    expect(refusal(() => versions.changeBy({ ...read, mobile: '2' }, byOwner))).toContain(conflict);
    expect(refusal(() => versions.changeBy(without, byOwner))).toContain('REV_CONFLICT');
    const own = versions.changeBy({ ...read, mobile: '2' }, CARD);
    versions.wrote(1, read, own);
    expect(versions.changeBy({ ...read, mobile: '4' }, { ...CARD, mobile: '2' }).set).toEqual({ mobile: '4' });
    expect(versions.changeBy({ ...read, mobile: '2' }, { ...CARD, mobile: '2' }).set).toEqual({});
    // Back to what was read is a change as well.
    expect(versions.changeBy(read, { ...CARD, mobile: '2' }).set).toEqual({ mobile: '1' });
    expect(refusal(() => versions.changeBy({ ...read, mobile: '4' }, byOwner))).toContain('REV_CONFLICT');
    versions.wrote(2, read, versions.changeBy(without, CARD));
    expect(versions.changeBy({ ...read, mobile: '5' }, { _id: 'a', name: 'Kim' }).set).toEqual({ mobile: '5' });
  });

  it('[LANE-22] is the ground of sets and counters, which merge with what others wrote', () => {
    const versions = open();
    const read = versions.give(CARD);
    const now = { ...CARD, tags: ['club', 'friend'], likes: 7 };
    expect(versions.changeBy({ ...read, tags: ['club', 'work'], likes: 7 }, now)).toEqual({
      set: { tags: ['club', 'work'], likes: 7 },
      remove: [],
      base: { tags: ['club'], likes: 5 },
    });
    const best = versions.give({ _id: 'a', best: 1 });
    expect(versions.changeBy({ ...best, best: 3 }, { _id: 'a', best: 2 }).set).toEqual({ best: 3 });
    // Where it had none there is no ground to merge on.
    const bare = versions.give({ _id: 'a' });
    expect(refusal(() => versions.changeBy({ ...bare, tags: ['work'] }, now))).toContain('REV_CONFLICT');
  });

  it('[LANE-22] that is saved twice adds to a counter once, and loses what it had added to a set', () => {
    const versions = open();
    const read = versions.give(CARD);
    let n = 0;
    const save = (more: JsonObject, now: JsonObject) => {
      const document = { ...read, ...more };
      const change = versions.changeBy(document, { ...CARD, ...now });
      versions.wrote(++n, document, change);
      return change;
    };
    expect(save({ likes: 6, tags: ['club', 'work'] }, {}).base).toEqual({ likes: 5, tags: ['club'] });
    // The owner counts meanwhile: three by it, one by the application.
    const now = { likes: 9, tags: ['club', 'work', 'friend'] };
    expect(save({ likes: 6, tags: ['club', 'work'] }, now)).toEqual({ set: {}, remove: [] });
    expect(save({ likes: 7, tags: ['club', 'run'] }, now)).toEqual({
      set: { likes: 7, tags: ['club', 'run'] },
      remove: [],
      base: { likes: 6, tags: ['club', 'work'] },
    });
    // Where all of it was refused the record is shown as it was read, and the same is said again.
    expect(save({ likes: 7 }, {})).toEqual({ set: { likes: 7 }, remove: [], base: { likes: 5 } });
  });

  it('[LANE-22] may be told again what was refused of it, and takes nothing back that was not', () => {
    const versions = open();
    const read = versions.give(CARD);
    const [one, two] = [
      { ...read, likes: 6, mobile: '2', note: 'x' },
      { ...read, likes: 7, mobile: '3' },
    ];
    versions.wrote(1, one, versions.changeBy(one, CARD));
    const removed = versions.changeBy(two, { ...CARD, likes: 6, mobile: '2', note: 'x' });
    expect(removed).toEqual({ set: { likes: 7, mobile: '3' }, remove: ['note'], base: { likes: 6 } });
    versions.wrote(2, two, removed);
    // The owner has changed another field, so that what is shown is no version that was read.
    const now = { ...CARD, name: 'Lee', likes: 6, mobile: '2', note: 'x' };
    expect(versions.changeBy(two, now)).toMatchObject({ set: { mobile: '3' }, remove: ['note'] });
    versions.refused(2);
    expect(versions.changeBy(two, now)).toEqual({
      set: { likes: 7, mobile: '3' },
      remove: ['note'],
      base: { likes: 6 },
    });
    versions.refused(1);
    const none = { ...CARD, name: 'Lee' };
    expect(versions.changeBy(two, none)).toEqual({ set: { likes: 7, mobile: '3' }, remove: [], base: { likes: 5 } });
    expect(versions.changeBy(read, none)).toEqual({ set: {}, remove: [], base: undefined });
  });

  it('[LANE-22] that is not known any more is refused, unless it is what is shown', () => {
    const [versions, elsewhere] = [open(), open()];
    const read = elsewhere.give(CARD);
    expect(versions.changeBy({ ...read, mobile: '2' }, CARD).set).toEqual({ mobile: '2' });
    versions.forget();
    const now = { ...CARD, name: 'Lee' };
    expect(refusal(() => versions.changeBy({ ...read, mobile: '2' }, now))).toMatch(
      /^REV_CONFLICT: .*not known any more/,
    );
    // Another record's version is none of this one, known or not.
    versions.give(CARD);
    expect(refusal(() => versions.changeBy({ ...read, _id: 'b' }, { ...CARD, _id: 'b' }))).toContain('REV_CONFLICT');
    expect(versions.changeBy({ ...read, _id: undefined as never }, undefined).set).toMatchObject({ mobile: '1' });
  });

  it('[LANE-22] is kept until a megabyte of later ones was read', () => {
    const versions = open();
    const first = versions.give(CARD);
    const big = 'x'.repeat(100_000);
    const now = { ...CARD, name: 'Lee' };
    const change = () => versions.changeBy({ ...first, mobile: '2' }, now);
    for (let i = 0; i < 9; i++) versions.give({ _id: 'b', big, i });
    expect(change().set).toEqual({ mobile: '2' });
    for (let i = 0; i < 11; i++) versions.give({ _id: 'c', big, i });
    expect(refusal(change)).toContain('REV_CONFLICT');
    // What is written over it counts.
    const own = versions.give(CARD);
    versions.wrote(1, own, { set: { name: 'x'.repeat(1_200_000) }, remove: [], base: undefined });
    expect(refusal(() => versions.changeBy({ ...own, mobile: '2' }, now))).toContain('REV_CONFLICT');
    // The same one again takes no more room.
    for (let i = 0; i < 100; i++) versions.give({ _id: 'c', big, i: 10 });
    const late = versions.give(CARD);
    for (let i = 0; i < 100; i++) versions.give({ _id: 'c', big, i: 10 });
    expect(versions.changeBy({ ...late, mobile: '2' }, now).set).toEqual({ mobile: '2' });
  });

  it('[LANE-22] is not asked of a document without one, which is the whole record', () => {
    const whole = { _id: 'a', name: 'Kim', mobile: '2' };
    const change = open().changeBy(whole, { ...CARD, note: 'of the owner' });
    expect(change).toEqual({
      set: { mobile: '2' },
      remove: ['tags', 'likes', 'note'],
      base: { tags: ['club'], likes: 5 },
    });
  });
});
