import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { readFhirBundle } from '@sluice/client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { describeRealData, realFhirBundles } from './real-data.ts';

describe('finding real data', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-real-'));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true });
  });

  it('lists the bundles of the folder that the environment names', () => {
    mkdirSync(join(folder, 'fhir'));
    for (const name of ['b.json', 'a.json', 'README.md']) writeFileSync(join(folder, 'fhir', name), '{}');
    vi.stubEnv('SLUICE_REAL_DATA', folder);
    expect(realFhirBundles().map((path) => basename(path))).toEqual(['a.json', 'b.json']);
  });

  it('without data registers nothing, prints the number and adds it to the file', () => {
    const file = join(folder, 'not-run');
    const printed = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const body = vi.fn();
    vi.stubEnv('SLUICE_REAL_DATA', join(folder, 'absent'));
    vi.stubEnv('SLUICE_NOT_RUN_FILE', '');
    describeRealData('one', 2, body);
    expect(existsSync(file)).toBe(false);
    vi.stubEnv('SLUICE_NOT_RUN_FILE', file);
    describeRealData('two', 3, body);
    describeRealData('three', 4, body);
    expect(readFileSync(file, 'utf8')).toBe('3\n4\n');
    expect(printed.mock.calls.map(([text]) => text)).toEqual([
      'not run: 2 (one)\n',
      'not run: 3 (two)\n',
      'not run: 4 (three)\n',
    ]);
    expect(body).not.toHaveBeenCalled();
  });
});

describeRealData('real FHIR bundles', 2, () => {
  const bundles = realFhirBundles().map((path) => ({ path, text: readFileSync(path, 'utf8') }));

  it('[SCH-13] import without a problem, every resource in the schema it belongs to', () => {
    expect(bundles.length).toBeGreaterThan(0);
    for (const { path, text } of bundles) {
      const result = readFhirBundle(text);
      if (!result.ok) throw new Error(`${path}: ${result.error.type}`);
      const { records, problems, counts } = result.value;
      const { entry } = JSON.parse(text) as { entry: { resource: { resourceType: string } }[] };
      const countOf = (type: string): number => entry.filter((e) => e.resource.resourceType === type).length;
      expect([path, problems]).toEqual([path, []]);
      expect(records.length).toBe(entry.length);
      expect(new Set(records.map((r) => r.record._id)).size).toBe(entry.length);
      expect(counts['fhir/immunization']).toBe(countOf('Immunization'));
      expect(counts['fhir/observation']).toBe(countOf('Observation'));
    }
  });

  it('[SCH-12] give the same records when read again', () => {
    for (const { path, text } of bundles) expect([path, readFhirBundle(text)]).toEqual([path, readFhirBundle(text)]);
  });
});
