import { err, type JsonObject, type JsonValue, ok } from '@sluice/core/base';
import { describe, expect, it } from 'vitest';
import { createSchemaLoader, type LoadedSchema } from './index.ts';
import { createInterpreter } from './interpreter.ts';
import { refusePattern } from './pattern-cost.ts';
import { restrictSchema } from './restrict-schema.ts';

const AT = 'https://mallory.example/s.json';
const load = (body: JsonObject) =>
  createSchemaLoader({ fetchText: () => Promise.resolve(ok(JSON.stringify({ $id: AT, ...body }))) }).load(AT);
async function loaded(body: JsonObject): Promise<LoadedSchema> {
  const result = await load(body);
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}
const pathsOf = (schema: LoadedSchema, record: JsonValue): string[] => schema.validate(record).map((i) => i.path);
function interpreter(body: JsonObject, monotonicMs: () => number) {
  const restricted = restrictSchema(body);
  if (!restricted.ok) throw new Error(restricted.error);
  return createInterpreter(restricted.value, monotonicMs);
}
const tooMuch = [{ path: '/', message: 'takes too much work to check' }];

/** `$defs` d0 to dn, each made of the next by `make`. */
const chain = (length: number, make: (next: JsonObject) => JsonObject): JsonObject =>
  Object.fromEntries(
    Array.from({ length }, (_, i) => [`d${i}`, i === length - 1 ? {} : make({ $ref: `#/$defs/d${i + 1}` })]),
  );

describe('[SCH-4] references', () => {
  it('go to the schema itself or to a bundled $id, and are never fetched', async () => {
    const asked: string[] = [];
    const fetchText = (url: URL) => {
      asked.push(url.href);
      return Promise.resolve(
        ok(JSON.stringify({ $id: AT, properties: { a: { $ref: 'https://mallory.example/b.json' } } })),
      );
    };
    expect(await createSchemaLoader({ fetchText }).load(AT)).toEqual(
      err({ type: 'bad-schema', text: '$ref points outside the schema' }),
    );
    expect(asked).toEqual([AT]);
  });

  it.each([
    ['a relative address', { $ref: 'other.json' }],
    ['a file', { $ref: 'file:///etc/passwd' }],
    ['a place that is not there', { $ref: '#/$defs/none' }],
    ['a place that is no schema', { $ref: '#/properties', properties: { a: {} } }],
    ['a malformed pointer', { $ref: '#/%E0%A4' }],
    ['part of a bundled schema', { $ref: 'https://schemas.sluice.example/base/v0.1.0/schema.json#/allOf/0' }],
    ['itself', { $ref: '#' }],
    ['a circle', { $defs: { a: { allOf: [{ $ref: '#/$defs/b' }] }, b: { not: { $ref: '#/$defs/a' } } } }],
    ['a circle through conditions', { if: {}, else: { anyOf: [{ $ref: '#' }] } }],
    ['a chain as long as the stack', { $ref: '#/$defs/d0', $defs: chain(900, (next) => next) }],
    ['a dynamic anchor', { $dynamicRef: '#a' }],
    ['an anchor', { $anchor: 'a' }],
  ])('%s is refused', async (_, body) => {
    expect(await load(body)).toMatchObject({ ok: false, error: { type: 'bad-schema', text: /\$|circle/ } });
  });

  it('a tree that refers to itself below a field or item is fine', async () => {
    const tree = {
      type: 'object',
      properties: { next: { type: 'array', items: { $ref: '#' } }, n: { type: 'integer' } },
    };
    const schema = await loaded(tree);
    expect(pathsOf(schema, { n: 1, next: [{ n: 2, next: [] }, { next: [{ n: 'three' }] }] })).toEqual([
      '/next/1/next/0/n',
    ]);
  });

  it('a name with slashes, tildes and spaces is found by its pointer', async () => {
    const schema = await loaded({
      properties: { a: { $ref: '#/$defs/x~1y~0%20z' } },
      $defs: { 'x/y~ z': { type: 'string' } },
    });
    expect(pathsOf(schema, { a: 1 })).toEqual(['/a']);
  });
});

describe('[SCH-4] form', () => {
  it.each([
    { type: 'strange' },
    { required: 'name' },
    { required: [1] },
    { enum: {} },
    { allOf: {} },
    { anyOf: [] },
    { oneOf: [5] },
    { items: [{}, {}] },
    { properties: [] },
    { minLength: -1 },
    { maxItems: 1.5 },
    { multipleOf: 0 },
    { pattern: 5 },
    { uniqueItems: 'yes' },
    { properties: { toString: {} } },
    { required: ['constructor'] },
    { patternProperties: { a: {} } },
    { dependencies: { a: ['b'] } },
  ])('%j is refused', async (body) => {
    expect(await load(body as JsonObject)).toMatchObject({ ok: false, error: { type: 'bad-schema' } });
  });

  it('unknown keywords mean nothing, whatever they hold', async () => {
    const schema = await loaded({ example: { $ref: 'nowhere' }, id: 'x', __absolute_ref__: 'y', 'x-a': [1] });
    expect(schema.validate({ anything: true })).toEqual([]);
  });
});

describe('[SCH-5] patterns', () => {
  it.each([
    ['(a+)+$', /repeats a group/],
    ['^((a+))+$', /repeats a group/],
    ['^(?:a*)*$', /repeats a group/],
    ['^(a|a)*$', /repeats a group/],
    ['^(a?){40}$', /repeats a group/],
    ['^(?:(?:a{1,9}){1,9}){1,9}$', /repeats a group/],
    ['a*a*a*a*$', /too long/],
    [`^${'a?'.repeat(40)}$`, /too long/],
    ['(a)\\1', /refers back/],
    ['(?<x>a)\\k<x>', /refers back/],
    ['(?=a)b', /looks around/],
    ['(?<!a)b', /looks around/],
    ['(', /no regular expression/],
    ['a'.repeat(257), /256 characters/],
    ['(?:a{1000}){1000}', /repeats too much/],
  ])('%s is refused', async (pattern, reason) => {
    expect(refusePattern(pattern, 1024)).toMatch(reason);
    const refused = await load({ properties: { a: { pattern } } });
    expect(refused).toMatchObject({ ok: false, error: { type: 'bad-schema', text: reason } });
  });

  it.each([
    ['^[a-z0-9._]+@[a-z0-9]+\\.[a-z]+$', 'jan@example.org', 'jan@example'],
    ['^\\d{4}(-\\d{2})?$', '2026-04', '2026-4'],
    ['^(?:ab){3}\\u{1F6A2}[\\]x-z]$', 'ababab🚢]', 'abab🚢]'],
    ['^(?<kind>sloop|yawl)$', 'yawl', 'raft'],
    ['\\p{Lu}.*!', 'ahoy Koen!', 'ahoy koen!'],
  ])('%s is run', async (pattern, good, bad) => {
    const schema = await loaded({ properties: { a: { type: 'string', pattern } } });
    expect([pathsOf(schema, { a: good }), pathsOf(schema, { a: bad })]).toEqual([[], ['/a']]);
  });

  it('a text of over 1,024 characters does not satisfy a pattern, and the pattern does not see it', async () => {
    const schema = await loaded({ properties: { a: { pattern: '^a*$' } } });
    expect(pathsOf(schema, { a: 'a'.repeat(1024) })).toEqual([]);
    expect(pathsOf(schema, { a: 'a'.repeat(1025) })).toEqual(['/a']);
    expect(pathsOf(schema, { a: 5 })).toEqual([]);
  });

  it('a list of over 256 items does not satisfy uniqueItems, and its pairs are not compared', async () => {
    const schema = await loaded({ properties: { a: { uniqueItems: true } } });
    const numbers = (length: number) => ({ a: Array.from({ length }, (_, i) => i) });
    expect(pathsOf(schema, numbers(256))).toEqual([]);
    expect(pathsOf(schema, { a: [1, { b: 2 }, { b: 2 }] })).toEqual(['/a']);
    const started = performance.now();
    expect(pathsOf(schema, numbers(200_000))).toEqual(['/a']);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe('[SCH-6] work', () => {
  it('two branches into each level of a nested record are cut off', async () => {
    const branch = { properties: { a: { $ref: '#' } } };
    const schema = await loaded({ allOf: [branch, branch] });
    const nest = (depth: number): JsonObject => (depth === 0 ? {} : { a: nest(depth - 1) });
    expect(schema.validate(nest(10))).toEqual([]);
    expect(schema.validate(nest(60))).toEqual(tooMuch);
    expect(schema.validate(nest(10))).toEqual([]);
  });

  it('definitions that double at each step are cut off, and refused where reading them would take as long', async () => {
    const repeat = (times: number) => (next: JsonObject) => ({ allOf: Array.from({ length: times }, () => next) });
    const doubling = await loaded({ $ref: '#/$defs/d0', $defs: chain(30, repeat(2)) });
    expect(doubling.validate({})).toEqual(tooMuch);
    expect(await load({ $ref: '#/$defs/d0', $defs: chain(30, repeat(40)) })).toEqual(
      err({ type: 'bad-schema', text: 'its parts refer to each other too often' }),
    );
  });

  it('a record nested deeper than the stack is refused, no crash', async () => {
    const schema = await loaded({ properties: { a: { $ref: '#' } } });
    const nest = (depth: number): JsonObject => {
      let record: JsonObject = {};
      for (let i = 0; i < depth; i++) record = { a: record };
      return record;
    };
    expect(schema.validate(nest(100))).toEqual([]);
    expect(schema.validate(nest(100_000))).toEqual(tooMuch);
  });

  it('steps are counted whatever the clock says', () => {
    const branch = { properties: { a: { $ref: '#' } } };
    const validate = interpreter({ allOf: [branch, branch] }, () => 0);
    const nest = (depth: number): JsonObject => (depth === 0 ? {} : { a: nest(depth - 1) });
    expect(validate(nest(14))).toEqual([]);
    expect(validate(nest(18))).toEqual(tooMuch);
  });

  it('time that steps do not count is cut off too', () => {
    let nowMs = 0;
    const slow = () => {
      nowMs += 900;
      return nowMs;
    };
    const validate = interpreter({ items: { type: 'integer' } }, slow);
    expect(validate([1, 2, 3])).toEqual([]);
    expect(validate(Array.from({ length: 5_000 }, () => 1))).toEqual(tooMuch);
    const patterned = interpreter({ items: { pattern: '^a*$' } }, slow);
    expect(patterned(['a'])).toEqual([]);
    expect(patterned(['a', 'a', 'a', 'a'])).toEqual(tooMuch);
  });

  it('a value that is not JSON does not match', async () => {
    const schema = await loaded({});
    const circle: unknown[] = [];
    circle.push(circle);
    for (const value of [undefined, { a: undefined }, { a: () => 1 }, Number.NaN, [10n]])
      expect(schema.validate(value)).toEqual([{ path: '/', message: 'holds something that is not JSON' }]);
    expect(schema.validate(circle)).toEqual(tooMuch);
  });
});

it('[SCH-10] issues of an interpreted schema hold no value of the record', async () => {
  const secret = 'canary-7731';
  const schema = await loaded({
    properties: {
      a: { type: 'string', maxLength: 3, pattern: '^x' },
      b: { enum: [1] },
      c: { const: 2 },
      d: { maximum: 5, multipleOf: 7 },
      e: { additionalProperties: false },
      f: { oneOf: [{ type: 'string' }, { minLength: 1 }] },
    },
    required: ['mobile'],
  });
  const issues = schema.validate({ a: secret, b: secret, c: secret, d: 7731, e: { x: secret }, f: secret });
  expect(issues.map((i) => i.path)).toEqual(expect.arrayContaining(['/', '/a', '/b', '/c', '/d', '/e/x', '/f']));
  expect(issues.find((i) => i.path === '/')?.message).toBe('lacks the field mobile');
  expect(JSON.stringify(issues)).not.toMatch(/canary|7731/);
});
