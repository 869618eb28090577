/** Checks docs/faults.md: every fault from F1 to F31 once, in order, with tests that exist by their full names, or with why there are none. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './project-files.mjs';
import { report } from './report.mjs';
import { kindOf, literalText, parseTestFile, walk } from './test-syntax.mjs';

const PAGE = 'docs/faults.md';
const LAST_FAULT = 31;
const ROW = /^\| (F\d+) ([^|]+) \| ([^|]+) \|(.*)\|$/;
const CITED = /^`([^`]+\.test\.ts)` (.+)$/;
/** Starts what is said in place of an outcome. */
const DOES_NOT_APPLY = '— ';

const problems = [];
const namesByFile = new Map();
const found = [];
let tests = 0;
readFileSync(join(ROOT, PAGE), 'utf8').split('\n').forEach(checkLine);
const wanted = Array.from({ length: LAST_FAULT }, (_, i) => `F${i + 1}`);
if (found.join() !== wanted.join())
  problems.push(`${PAGE}: the rows are ${found.join(' ')}, and have to be F1 to F${LAST_FAULT}, each once, in order`);
report('faults', problems, `${found.length} faults, ${tests} tests named`);

function checkLine(line, index) {
  if (!line.startsWith('| F')) return;
  const where = `${PAGE}:${index + 1}`;
  const [, id, , outcome, cell] = ROW.exec(line) ?? [];
  if (id === undefined) return problems.push(`${where}: not of the form | FN fault | outcome | tests |`);
  found.push(id);
  const cited = cell.split('<br>').map((text) => text.trim());
  if (outcome.startsWith(DOES_NOT_APPLY)) {
    if (cited.join('') !== '') problems.push(`${where}: ${id} does not apply and names a test`);
    return;
  }
  for (const text of cited) checkTest(text, id, where);
}

function checkTest(text, id, where) {
  const [, file, name] = CITED.exec(text) ?? [];
  if (file === undefined) return problems.push(`${where}: ${id}: not of the form \`FILE\` NAME: ${text}`);
  tests++;
  const path = `packages/${file}`;
  if (!existsSync(join(ROOT, path))) problems.push(`${where}: ${id}: ${path} does not exist`);
  else if (!testNames(path).has(name)) problems.push(`${where}: ${id}: ${path} has no test of the name ${name}`);
}

function testNames(path) {
  const known = namesByFile.get(path);
  if (known) return known;
  const names = new Set();
  walk(parseTestFile(path, readFileSync(join(ROOT, path), 'utf8')), (node) => {
    const name = literalText(node);
    const { parent } = node;
    if (name !== undefined && parent.arguments?.[0] === node && kindOf(parent) === 'test') names.add(name);
  });
  namesByFile.set(path, names);
  return names;
}
