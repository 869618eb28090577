/**
 * Checks that every export of core, client, node and sqlite has a doc comment.
 *
 * A file listed in docstring-ratchet.json may still lack so many, and only ever fewer.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { isGenerated, isTestFile, projectFiles, ROOT } from './project-files.mjs';
import { report } from './report.mjs';

const CHECKED = /^packages\/(core|client|node|sqlite)\/src\/.+\.ts$/;
const FOR_TESTS = /(\.oracle|-fixture)\.ts$/;
const RATCHET_PATH = 'scripts/docstring-ratchet.json';

const ratchet = JSON.parse(readFileSync(join(ROOT, RATCHET_PATH), 'utf8'));
const sources = projectFiles().filter(
  (path) => CHECKED.test(path) && !isTestFile(path) && !isGenerated(path) && !FOR_TESTS.test(path),
);
const problems = [];
let exportCount = 0;
let lacking = 0;

for (const path of sources) {
  const bare = bareExports(path);
  const allowed = ratchet[path] ?? 0;
  lacking += bare.length;
  if (bare.length > allowed)
    for (const { line, name } of bare) problems.push(`${path}:${line}: ${name} has no doc comment`);
  else if (bare.length < allowed)
    problems.push(`${RATCHET_PATH}: ${path} lacks ${bare.length}; ${bare.length === 0 ? 'remove' : 'lower'} its line`);
}
for (const path of Object.keys(ratchet))
  if (!existsSync(join(ROOT, path))) problems.push(`${RATCHET_PATH}: ${path} is gone; remove its line`);
report('docstrings', problems, `${exportCount} exports in ${sources.length} files, ${lacking} still without`);

function bareExports(path) {
  const file = ts.createSourceFile(path, readFileSync(join(ROOT, path), 'utf8'), ts.ScriptTarget.Latest, true);
  const exported = file.statements.filter((s) => s.modifiers?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword));
  exportCount += exported.length;
  return exported
    .filter((statement) => !statement.jsDoc)
    .map((statement) => ({
      line: file.getLineAndCharacterOfPosition(statement.getStart()).line + 1,
      name: (statement.declarationList?.declarations[0] ?? statement).name?.getText() ?? 'this export',
    }));
}
