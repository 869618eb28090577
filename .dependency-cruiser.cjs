/**
 * Who may import whom (docs/architecture.md, Layout). Imports only go down.
 *
 * `@sluice/x/y` resolves to that package's source, so rules speak of paths under packages/ and so on.
 */

const CORE_LAYERS = ['base', 'wire', 'crypto', 'identity', 'stream', 'record', 'filter', 'message', 'grant'];
const TEST_ONLY = '(\\.(test|contract|oracle|bench)|-fixture)\\.tsx?$';
const CLIENT_NODE = '^packages/client/src/node/';
const WORKSPACE = '(packages/[^/]+|apps/[^/]+|schemas|examples|bench)';

/** One rule a layer: it may not import any layer after it. */
const layerRules = CORE_LAYERS.slice(0, -1).map((layer, index) => ({
  name: `core-layer-${layer}`,
  comment: `packages/core: the order is ${CORE_LAYERS.join(' -> ')}; a layer imports only earlier ones.`,
  severity: 'error',
  from: { path: `^packages/core/src/${layer}/` },
  to: { path: `^packages/core/src/(${CORE_LAYERS.slice(index + 1).join('|')})/` },
}));

/** A workspace may import only these others; its tests may use testkit as well. */
const mayImport = (name, from, allowed) => {
  const comment = `${from} may import from this repository only: ${allowed.join(', ') || 'nothing'}.`;
  const own = from.replace(/^\^/, '').replace(/\/src\/.*$|\/$/, '');
  const rule = (tests) => ({
    name: tests ? `${name}-tests` : name,
    comment,
    severity: 'error',
    from: {
      path: tests ? `${from}.*${TEST_ONLY}` : from,
      pathNot: [...(tests ? [] : [TEST_ONLY]), ...(from === CLIENT_NODE ? [] : [CLIENT_NODE])],
    },
    to: {
      path: '^(packages|apps|schemas|examples|bench)/',
      pathNot: [own, ...allowed, ...(tests ? ['packages/testkit'] : [])].map((folder) => `^${folder}/`),
    },
  });
  return [rule(false), rule(true)];
};

const boundaries = [
  ...mayImport('core-imports', '^packages/core/', []),
  ...mayImport('sqlite-imports', '^packages/sqlite/', []),
  ...mayImport('schemas-imports', '^schemas/', []),
  ...mayImport('client-imports', '^packages/client/', ['packages/core', 'schemas']),
  ...mayImport('client-node-imports', CLIENT_NODE, ['packages/core', 'packages/sqlite', 'schemas']),
  ...mayImport('node-imports', '^packages/node/', ['packages/core', 'packages/sqlite']),
];

module.exports = {
  forbidden: [
    { name: 'no-cycles', comment: 'Types count: a cycle of types is still one knot.', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-unresolvable',
      comment: 'The file exists, and a package is entered only through its package.json exports.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    ...layerRules,
    {
      name: 'core-unlisted-layer',
      comment: 'A new folder of packages/core/src gets its place in CORE_LAYERS first.',
      severity: 'error',
      from: {},
      to: { path: `^packages/core/src/(?!(${CORE_LAYERS.join('|')})/)` },
    },
    ...boundaries,
    {
      name: 'client-core-without-node',
      comment: 'The isomorphic part of the client does not know its Node part.',
      severity: 'error',
      from: { path: '^packages/client/src/', pathNot: [CLIENT_NODE, TEST_ONLY] },
      to: { path: CLIENT_NODE },
    },
    {
      name: 'no-node-builtins',
      comment: 'core and client run in browsers; Node is reached through packages/client/src/node.',
      severity: 'error',
      from: { path: '^packages/(core|client)/src/', pathNot: [CLIENT_NODE, TEST_ONLY] },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-reaching-in',
      comment: 'Another package is imported by name (@sluice/x/y), never by a path into its folders.',
      severity: 'error',
      from: { path: `^${WORKSPACE}/` },
      to: { path: `^${WORKSPACE}/`, pathNot: '^$1/', dependencyTypes: ['local'], dependencyTypesNot: ['aliased'] },
    },
    {
      name: 'no-own-name',
      comment: 'Inside one package files are imported by relative path, not through the package.',
      severity: 'error',
      from: { path: `^${WORKSPACE}/`, pathNot: CLIENT_NODE },
      to: { path: '^$1/', dependencyTypes: ['aliased'] },
    },
    {
      name: 'no-build-output',
      comment: 'Source does not import what the build writes.',
      severity: 'error',
      // The committed command loads the build; nothing else does.
      from: { pathNot: '^apps/[^/]+/bin/' },
      to: { path: '(^|/)(dist|dist-node)/', pathNot: 'node_modules' },
    },
    {
      name: 'declared-packages',
      comment: 'A package from the registry is named in the package.json of the workspace that imports it.',
      severity: 'error',
      from: { path: `^${WORKSPACE}/` },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-dev-packages',
      comment: 'Shipped code does not import what only development installs.',
      severity: 'error',
      from: { path: '^(packages|apps|schemas)/', pathNot: [TEST_ONLY, '^packages/testkit/', '^schemas/scripts/'] },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only', 'npm'] },
    },
    {
      name: 'vault-without-crypto',
      comment: 'The Vault asks the client; it holds no cryptography.',
      severity: 'error',
      from: { path: '^apps/vault/' },
      to: { path: ['^packages/core/src/crypto/', '^(node:)?crypto$', 'node_modules/(@noble|@scure|@hpke|hpke|hash-wasm|libsodium[^/]*)/'] },
    },
    {
      name: 'vault-without-node',
      comment: 'The Vault speaks to a node over the network only.',
      severity: 'error',
      from: { path: '^apps/vault/' },
      to: { path: '^packages/(node|sqlite)/' },
    },
    {
      name: 'test-code-stays-in-tests',
      comment: 'Shipped code does not import tests, their fixtures, oracles or benches.',
      severity: 'error',
      from: { pathNot: [TEST_ONLY, '^(packages/testkit|bench|scripts)/'] },
      to: { path: TEST_ONLY },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '(^|/)(dist|dist-node)/'] },
    combinedDependencies: true,
    builtInModules: { add: ['node:sqlite'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@sluice/source', 'import', 'types', 'default'],
    },
  },
};
