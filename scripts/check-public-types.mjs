/**
 * Checks that an application can name every type that the client hands it or takes: each one in a signature of what `@sluice/client` exports
 * is exported by it too, wherever it is declared. Reads the declarations of the last build.
 */

import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { ROOT } from './project-files.mjs';
import { report } from './report.mjs';

const PACKAGES = ['packages/core', 'packages/client', 'schemas'];
const CLIENT = 'packages/client';
const START = 'packages/client/dist/index.d.ts';
/** What tests, benchmarks and the agent of this repository reach for; it is exported, and no application looks inside. */
const INNER = new Set([
  ...['OpenAccount', 'Context', 'SchemaRegistry', 'SpaceEngine', 'LiveLink', 'StoreDb', 'AgentWork', 'ActivityLog'],
  ...['createContext', 'createActivityLog', 'openFeedReader', 'readLog', 'openLiveLink', 'SubscriptionEvents'],
]);

const { exports: entryPoints } = JSON.parse(readFileSync(join(ROOT, CLIENT, 'package.json'), 'utf8'));
const entries = Object.values(entryPoints).map(({ types }) => join(ROOT, CLIENT, types));
const program = ts.createProgram(entries, {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  noEmit: true,
  types: ['node'],
});
const checker = program.getTypeChecker();
const exportsOf = (path) => {
  const file = program.getSourceFile(path);
  const symbol = file && checker.getSymbolAtLocation(file);
  return symbol ? checker.getExportsOfModule(symbol).map(resolved) : [];
};
const named = new Set(entries.flatMap(exportsOf));
const problems = new Map();
const seen = new Set();
let looked = 0;
for (const symbol of exportsOf(join(ROOT, START))) visit(symbol, symbol.name);
report(
  'public types',
  [...problems].map(([name, from]) => `${name} stands in the signature of ${from}, and the client does not export it`),
  `${looked} types and functions looked at`,
);

function resolved(symbol) {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

/** Looks at each declaration of a symbol, and at what its public part names. */
function visit(symbol, from) {
  if (seen.has(symbol) || INNER.has(symbol.name)) return;
  seen.add(symbol);
  for (const declaration of symbol.declarations ?? []) {
    const path = relative(ROOT, declaration.getSourceFile().fileName);
    if (!PACKAGES.some((folder) => path.startsWith(`${folder}/dist/`))) continue;
    looked++;
    // `typeof` of a function is no name that anybody needs.
    const isFunction = (symbol.flags & ts.SymbolFlags.Function) !== 0;
    if (!named.has(symbol) && !isFunction) problems.set(`${symbol.name} (${path})`, from);
    // What a type of the core is made of is for its own documentation.
    if (path.startsWith(CLIENT)) walk(declaration, symbol.name);
  }
}

function walk(node, from) {
  if (ts.isClassElement(node) && node.modifiers?.some((m) => m.kind === ts.SyntaxKind.PrivateKeyword)) return;
  const name = ts.isTypeReferenceNode(node)
    ? node.typeName
    : ts.isTypeQueryNode(node)
      ? node.exprName
      : ts.isExpressionWithTypeArguments(node)
        ? node.expression
        : undefined;
  const symbol = name && checker.getSymbolAtLocation(name);
  if (symbol) {
    const target = resolved(symbol);
    if (!(target.flags & ts.SymbolFlags.TypeParameter)) visit(target, from);
  }
  if (ts.isImportTypeNode(node)) {
    const imported = node.qualifier && checker.getSymbolAtLocation(node.qualifier);
    if (imported) visit(resolved(imported), from);
  }
  ts.forEachChild(node, (child) => walk(child, from));
}
