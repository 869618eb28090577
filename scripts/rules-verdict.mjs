/** How one rule is switched off, and what a test run then says about it. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Applies the changes of a rule to the tree in `folder`. Returns how to undo them.
 *
 * Throws when something is not found exactly once, before anything is changed.
 */
export function applyChanges(folder, { rule, changes }) {
  const before = new Map();
  const after = new Map();
  for (const { file, find, replace } of changes) {
    const path = join(folder, file);
    if (!before.has(path)) before.set(path, readFileSync(path, 'utf8'));
    const text = after.get(path) ?? before.get(path);
    const found = text.split(find).length - 1;
    if (found !== 1) throw new Error(`${rule}: found ${found} times instead of once in ${file}: ${find}`);
    after.set(
      path,
      text.replace(find, () => replace),
    );
  }
  const write = (texts) => {
    for (const [path, text] of texts) writeFileSync(path, text);
  };
  write(after);
  return () => write(before);
}

/**
 * Reads a run: `red` only if an assertion of a test failed. A file that cannot be loaded, a run that hangs or one that ran no test
 * says nothing about the rule, so it counts as survived.
 */
export function verdictOf({ code, timedOut, json, wanted }) {
  if (timedOut) return { type: 'unclear', why: 'the tests hang' };
  if (!json) return { type: 'unclear', why: `vitest ended with ${code} and no report` };
  const suites = json.testResults ?? [];
  for (const { assertionResults } of suites) {
    const failed = assertionResults.find((a) => a.status === 'failed');
    if (failed) return { type: 'red', test: failed.title };
  }
  const broken = suites.find((suite) => suite.status === 'failed');
  if (broken) return { type: 'unclear', why: `${broken.name} cannot be loaded` };
  const missing = wanted.filter((path) => !suites.some((s) => s.name.endsWith(path) && s.assertionResults.length > 0));
  if (missing.length > 0) return { type: 'unclear', why: `no test ran in ${missing.join(', ')}` };
  return code === 0
    ? { type: 'green', why: 'every test passed' }
    : { type: 'unclear', why: `vitest ended with ${code}` };
}
