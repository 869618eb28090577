/** Reads test files as syntax trees: which calls are tests, and what they are named. */

import ts from 'typescript';

const SUITE_NAMES = new Set(['describe', 'suite']);
const TEST_NAMES = new Set(['it', 'test']);

/** Parses one file; types are not resolved. */
export const parseTestFile = (path, text) => ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);

/** Calls `visit` for the node and everything below it. */
export function walk(node, visit) {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** One-based line of a node. */
export const lineOf = (file, node) => file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;

/** The chain a callee is made of: `it.each([..])` gives ['it', 'each']; undefined when its root is not a name. */
export function calleeChain(callee) {
  const names = [];
  let node = callee;
  for (;;) {
    if (ts.isPropertyAccessExpression(node)) {
      names.unshift(node.name.text);
      node = node.expression;
    } else if (ts.isCallExpression(node)) node = node.expression;
    else if (ts.isTaggedTemplateExpression(node)) node = node.tag;
    else if (ts.isIdentifier(node)) return [node.text, ...names];
    else return undefined;
  }
}

/** True for the call that registers a test or a suite, not for the inner `it.each(table)`. */
export const isRegistration = (node) => ts.isCallExpression(node) && kindOf(node) !== undefined;

/** 'test', 'suite' or undefined. */
export function kindOf(call) {
  const chain = calleeChain(call.expression);
  if (chain === undefined || isInnerTableCall(call)) return undefined;
  if (TEST_NAMES.has(chain[0])) return 'test';
  return SUITE_NAMES.has(chain[0]) ? 'suite' : undefined;
}

/** `it.each(table)` and `it.runIf(x)` are themselves called or tagged; only the outermost call registers. */
function isInnerTableCall(call) {
  const parent = call.parent;
  return (
    (ts.isCallExpression(parent) && parent.expression === call) ||
    (ts.isPropertyAccessExpression(parent) && parent.expression === call)
  );
}

/** The text of a string literal or of a template's fixed parts, or undefined. */
export function literalText(node) {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (ts.isTemplateExpression(node))
    return [node.head.text, ...node.templateSpans.map((s) => s.literal.text)].join('*');
  return undefined;
}
