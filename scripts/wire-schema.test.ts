/** The pin of the wire schema moves only with the protocol version. */

import { describe, expect, it } from 'vitest';
import { decidePin, wireSchemaHash } from './wire-schema.mjs';

describe('wire schema hash', () => {
  it('is SHA-256 of the JSON with sorted keys', () => {
    // printf '{"a":[1,"x",null],"b":{"c":true,"d":false}}' | sha256sum
    const expected = '42501c745ff15d2de97f5d043a37cea92e65df82ac5b9c073635d9d97ebda266';
    expect(wireSchemaHash({ b: { d: false, c: true }, a: [1, 'x', null] })).toBe(expected);
  });

  it('changes with a value, a name and the order of a list, not with the order of keys', () => {
    const hash = wireSchemaHash({ a: 1, b: [1, 2] });
    expect(wireSchemaHash({ b: [1, 2], a: 1 })).toBe(hash);
    for (const other of [
      { a: 2, b: [1, 2] },
      { c: 1, b: [1, 2] },
      { a: 1, b: [2, 1] },
      { a: '1', b: [1, 2] },
    ]) {
      expect(wireSchemaHash(other)).not.toBe(hash);
    }
  });

  it.each([[undefined], [() => 1], [new Map()], [new Uint8Array(1)], [Number.NaN]])(
    'refuses what JSON lacks: %s',
    (value) => {
      expect(() => wireSchemaHash({ value })).toThrow(TypeError);
    },
  );
});

describe('wire pin', () => {
  const lock = { version: 2, hash: 'old' };

  it.each([
    ['no pin yet', undefined, { version: 1, hash: 'new' }, false, true],
    ['nothing changed', lock, { version: 2, hash: 'old' }, false, false],
    ['version raised with a change', lock, { version: 3, hash: 'new' }, false, true],
    ['version raised without a change', lock, { version: 3, hash: 'old' }, false, true],
    ['changed under one version, allowed', lock, { version: 2, hash: 'new' }, true, true],
  ])('%s', (_name, before, current, allowSameVersion, write) => {
    expect(decidePin(before, current, allowSameVersion)).toMatchObject({ write });
    expect(decidePin(before, current, allowSameVersion)).not.toHaveProperty('problem');
  });

  it('refuses a change under the same version', () => {
    const decision = decidePin(lock, { version: 2, hash: 'new' }, false);
    expect(decision.write).toBe(false);
    expect(decision.problem).toContain('PROTOCOL_VERSION is still 2');
    expect(decision.problem).toContain('--same-version');
  });

  it('refuses a lower version, allowed or not', () => {
    for (const allowed of [true, false]) {
      expect(decidePin(lock, { version: 1, hash: 'new' }, allowed).problem).toContain('went back from 2 to 1');
    }
  });
});
