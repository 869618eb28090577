/** Finds tests that prove nothing: no assertion, an `expect` without a matcher or without `await`, and tests switched off. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { isTestFile, projectFiles, ROOT } from './project-files.mjs';
import { report } from './report.mjs';
import { calleeChain, kindOf, lineOf, parseTestFile, walk } from './test-syntax.mjs';

/** Switches that focus, silence or make a test conditional. Real-data tests register through testkit instead. */
const SWITCHES = new Set(['only', 'skip', 'todo', 'skipIf', 'runIf', 'fails']);
const DISABLED_NAMES = new Set(['xit', 'xtest', 'xdescribe', 'fit', 'fdescribe']);

const problems = [];
const paths = projectFiles().filter(isTestFile);
let testCount = 0;
for (const path of paths) checkFile(path, readFileSync(join(ROOT, path), 'utf8'));
report('tests', problems, `${testCount} tests in ${paths.length} files`);

function checkFile(path, text) {
  const file = parseTestFile(path, text);
  const functions = namedFunctions(file);
  const fail = (node, message) => problems.push(`${path}:${lineOf(file, node)}: ${message}`);

  walk(file, (node) => {
    if (!ts.isCallExpression(node)) return;
    const chain = calleeChain(node.expression);
    if (chain === undefined) return;
    if (DISABLED_NAMES.has(chain[0])) fail(node, `${chain[0]} switches a test off or focuses it`);
    if (chain.length === 1 && chain[0] === 'expect') checkMatcher(node, fail);
    const kind = kindOf(node);
    if (kind === undefined) return;
    const switched = chain.slice(1).find((name) => SWITCHES.has(name));
    if (switched !== undefined) fail(node, `.${switched} switches a test off, focuses it or expects it to fail`);
    if (kind === 'test' && switched !== 'todo') {
      testCount++;
      checkTest(node, functions, fail);
    }
  });
  for (const [name, body] of functions) {
    if (/^(expect|assert)[A-Z]/.test(name) && !asserts(body)) fail(body, `${name} contains no assertion`);
  }
}

function checkTest(call, functions, fail) {
  const body = call.arguments
    .map((argument) => resolveFunction(argument, functions))
    .find((found) => found !== undefined);
  if (body === undefined) return fail(call, 'the test has no function in this file');
  if (!asserts(body)) fail(call, 'the test has no assertion (expect, assert, fc.assert or a function named expectX)');
  const skip = skipCall(body);
  if (skip !== undefined) fail(skip, 'the test skips itself');
}

/** `expect(x)` has to end in a call such as `.toBe(y)`, and a promise matcher has to be awaited or returned. */
function checkMatcher(call, fail) {
  let node = call;
  const chain = [];
  while (ts.isPropertyAccessExpression(node.parent) && node.parent.expression === node) {
    node = node.parent;
    chain.push(node.name.text);
  }
  const isMatched = chain.length > 0 && ts.isCallExpression(node.parent) && node.parent.expression === node;
  if (!isMatched) return fail(call, 'expect() without a matcher call');
  const isPromise = chain.includes('resolves') || chain.includes('rejects') || chain.includes('eventually');
  if (isPromise && ts.isExpressionStatement(node.parent.parent)) fail(call, 'a promise matcher that is not awaited');
}

function asserts(body) {
  let found = false;
  walk(body, (node) => {
    if (found || !ts.isCallExpression(node)) return;
    const chain = calleeChain(node.expression);
    found = chain?.some((name) => /^(expect|assert)([A-Z].*)?$/.test(name)) ?? false;
  });
  return found;
}

/** The call `ctx.skip()` or `skip()` through the test's own context parameter. */
function skipCall(body) {
  const context = body.parameters?.[0]?.name;
  if (context === undefined) return undefined;
  let found;
  walk(body, (node) => {
    if (!ts.isCallExpression(node)) return;
    const chain = calleeChain(node.expression) ?? [];
    const fromObject = ts.isIdentifier(context) && chain[0] === context.text && chain[1] === 'skip';
    const fromPattern = ts.isObjectBindingPattern(context) && chain[0] === 'skip';
    if (fromObject || fromPattern) found = node;
  });
  return found;
}

function resolveFunction(argument, functions) {
  if (ts.isArrowFunction(argument) || ts.isFunctionExpression(argument)) return argument;
  return ts.isIdentifier(argument) ? functions.get(argument.text) : undefined;
}

/** Functions declared in the file by name, as a declaration or as a constant. */
function namedFunctions(file) {
  const functions = new Map();
  walk(file, (node) => {
    if (ts.isFunctionDeclaration(node) && node.name !== undefined) functions.set(node.name.text, node);
    if (!ts.isVariableDeclaration(node) || !ts.isIdentifier(node.name) || node.initializer === undefined) return;
    if (ts.isArrowFunction(node.initializer) || ts.isFunctionExpression(node.initializer)) {
      functions.set(node.name.text, node.initializer);
    }
  });
  return functions;
}
