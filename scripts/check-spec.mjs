/** Checks that spec rules and test names cite each other: no rule without a test, no citation without a rule. */

import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isTestFile, projectFiles, ROOT } from './project-files.mjs';
import { report } from './report.mjs';
import { isRegistration, lineOf, literalText, parseTestFile, walk } from './test-syntax.mjs';

const RULE_AT_START = /^\*\*([A-Z][A-Z0-9]*-\d+)\*\*(.*)$/;
const RULE_ANYWHERE = /\*\*([A-Z][A-Z0-9]*-\d+)\*\*/g;
const CITATION = /\[([A-Z][A-Z0-9]*-\d+)\]/g;
const LEADING_CITATIONS = /^(?:\[[A-Z][A-Z0-9]*-\d+\][ ,]*)+/;

const files = projectFiles();
const problems = [];

const rules = new Map();
for (const path of files.filter((file) => /^spec\/[^/]+\.md$/.test(file))) readRules(path);

const citations = new Map();
const testFiles = files.filter(isTestFile);
const testTexts = new Map(testFiles.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]));
for (const [path, text] of testTexts) {
  if (path.includes('.contract.') && !isRunByATest(path))
    problems.push(`${path}: no test file imports this contract suite`);
  else readCitations(path, text);
}

for (const [rule, where] of rules) if (!citations.has(rule)) problems.push(`${where}: ${rule} is cited by no test`);
for (const [rule, places] of citations) {
  if (!rules.has(rule)) for (const where of places) problems.push(`${where}: [${rule}] is no rule in spec/`);
}
const citedRules = [...rules.keys()].filter((rule) => citations.has(rule)).length;
report('spec', problems, `${rules.size} rules, ${citedRules} cited, ${testFiles.length} test files`);

function readRules(path) {
  const lines = readFileSync(join(ROOT, path), 'utf8').split('\n');
  lines.forEach((line, index) => {
    const where = `${path}:${index + 1}`;
    const [, id, sentence] = RULE_AT_START.exec(line) ?? [];
    if (id === undefined) {
      for (const [, found] of line.matchAll(RULE_ANYWHERE)) {
        problems.push(`${where}: **${found}** does not start its line (a reference to a rule is not bold)`);
      }
      return;
    }
    if (rules.has(id)) problems.push(`${where}: ${id} is already defined at ${rules.get(id)}`);
    else rules.set(id, where);
    if (sentence.trim() === '') problems.push(`${where}: ${id} says nothing`);
  });
}

/** A citation counts in the name of a test or suite, and at the start of any string (the names of a table of cases). */
function readCitations(path, text) {
  const tree = parseTestFile(path, text);
  walk(tree, (node) => {
    const name = literalText(node);
    if (name === undefined) return;
    const isName = isRegistration(node.parent) && node.parent.arguments[0] === node;
    const cited = isName ? name : (LEADING_CITATIONS.exec(name)?.[0] ?? '');
    for (const [, id] of cited.matchAll(CITATION)) {
      citations.set(id, [...(citations.get(id) ?? []), `${path}:${lineOf(tree, node)}`]);
    }
  });
}

function isRunByATest(contractPath) {
  const importEnd = `/${basename(contractPath)}'`;
  return [...testTexts].some(([path, text]) => path.includes('.test.') && text.includes(importEnd));
}
