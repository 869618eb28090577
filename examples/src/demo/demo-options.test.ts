import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readDemoOptions } from './demo-options.ts';

describe('the options of the demo', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-demo-options-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const file = (text: string): string => {
    const path = join(directory, 'bundle.json');
    writeFileSync(path, text);
    return path;
  };
  const bundleOf = (...dates: string[]): string =>
    file(
      JSON.stringify({
        resourceType: 'Bundle',
        entry: dates.map((effectiveDateTime) => ({ resource: { resourceType: 'Observation', effectiveDateTime } })),
      }),
    );

  it('the present time is the newest clinical date and a day, unless it is given', () => {
    const bundle = bundleOf('2019-01-01', '2020-04-18T13:00:00-07:00', '2020-04-18T15:00:00Z');
    expect(readDemoOptions(['--bundle', bundle])).toMatchObject({
      type: 'run',
      options: { asOfMs: Date.parse('2020-04-19T20:00:00Z'), double: 'honest', keep: false },
    });
    expect(readDemoOptions(['--bundle', bundle, '--as-of', '2021-01-01'])).toMatchObject({
      options: { asOfMs: Date.parse('2021-01-01') },
    });
    expect(readDemoOptions([])).toMatchObject({ type: 'run' });
    expect(readDemoOptions(['--help'])).toMatchObject({ type: 'help' });
  });

  it.each([
    ['--bundle /no/such/file', 'cannot be read (ENOENT)'],
    ['--as-of yesterday', '--as-of takes a date'],
    ['--node-double nice', 'is one of honest, leaks'],
    ['--wrong', "Unknown option '--wrong'"],
  ])('%s is told in a sentence', (args, said) => {
    const asked = readDemoOptions(args.split(' '));
    expect(asked).toEqual({ type: 'wrong', text: expect.stringContaining(said) });
  });

  it.each([
    ['{', 'is not a FHIR R4 bundle'],
    ['{"resourceType":"Patient"}', 'is not a FHIR R4 bundle'],
    ['{"a":1}', 'is not a FHIR R4 bundle'],
    ['{"resourceType":"Bundle","entry":[]}', 'no Immunization or Observation with a date'],
  ])('a file that holds %s is told in a sentence', (text, said) => {
    expect(readDemoOptions(['--bundle', file(text)])).toEqual({ type: 'wrong', text: expect.stringContaining(said) });
  });
});
