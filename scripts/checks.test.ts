/** Each check of scripts/ finds what was planted for it, names the place, and passes a clean project. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPlantedProject, type PlantedProject } from './planted-project.ts';

const TEST_FILE = 'packages/core/src/base/planted.test.ts';

let project: PlantedProject;
beforeEach(() => {
  project = createPlantedProject();
});
afterEach(() => project.remove());

describe('check-spec', () => {
  const SPEC = '# Feed\n\nSome prose about TAB-1.\n\n**TAB-1** One.\n**TAB-2** Two.\n';

  it('passes when every rule is cited and every citation is a rule', () => {
    project.write('spec/feed.md', SPEC);
    project.write(
      TEST_FILE,
      `${plantedTest('TAB-1')}it.each([{ name: '[TAB-2] two' }])('$name', () => expect(1).toBe(1));\n`,
    );
    const { exitCode, output } = project.run('scripts/check-spec.mjs');
    expect(output).toBe('spec: 2 rules, 2 cited, 1 test files, 0 problems\n');
    expect(exitCode).toBe(0);
  });

  it('names the rule that no test cites, and ignores a citation in a comment or inside a sentence', () => {
    project.write('spec/feed.md', SPEC);
    project.write(TEST_FILE, `// [TAB-2] is not tested\nconst text = 'as [TAB-2] says';\n${plantedTest('TAB-1')}`);
    const { exitCode, output } = project.run('scripts/check-spec.mjs');
    expect(output).toContain('spec/feed.md:6: TAB-2 is cited by no test');
    expect(output).toContain('2 rules, 1 cited');
    expect(exitCode).toBe(1);
  });

  it('names the citation that is no rule', () => {
    project.write('spec/feed.md', '**TAB-1** One.\n');
    project.write(TEST_FILE, plantedTest('TAB-1') + plantedTest('TAB-9'));
    expect(project.run('scripts/check-spec.mjs').output).toContain(`${TEST_FILE}:2: [TAB-9] is no rule in spec/`);
  });

  it('refuses a rule defined twice, one that does not start its line, and an empty one', () => {
    project.write('spec/a.md', '**TAB-1** One.\n**TAB-2**\n');
    project.write('spec/b.md', '**TAB-1** Again.\n- **TAB-3** In a list.\n');
    project.write(TEST_FILE, plantedTest('TAB-1', 'TAB-2'));
    const { output } = project.run('scripts/check-spec.mjs');
    expect(output).toContain('spec/b.md:1: TAB-1 is already defined at spec/a.md:1');
    expect(output).toContain('spec/b.md:2: **TAB-3** does not start its line');
    expect(output).toContain('spec/a.md:2: TAB-2 says nothing');
  });

  it('counts a contract suite only when a test runs it', () => {
    project.write('spec/a.md', '**TAB-1** One.\n');
    project.write('packages/core/src/base/store.contract.ts', plantedTest('TAB-1'));
    expect(project.run('scripts/check-spec.mjs').output).toContain('no test file imports this contract suite');
    project.write(TEST_FILE, "import { runSuite } from './store.contract.ts';\nrunSuite();\n");
    expect(project.run('scripts/check-spec.mjs').exitCode).toBe(0);
  });
});

describe('check-public-types', () => {
  const entry = (text: string): void => {
    project.write(
      'packages/client/package.json',
      JSON.stringify({ name: '@sluice/client', type: 'module', exports: { '.': { types: './dist/index.d.ts' } } }),
    );
    project.write(
      'packages/client/dist/inner.d.ts',
      'export type Deep = 1;\nexport type Inner = { readonly deep: Deep };\n',
    );
    project.write('packages/client/dist/index.d.ts', text);
  };

  it('passes when everything that a signature names is exported, also under way', () => {
    entry(
      "export type { Deep, Inner } from './inner.js';\nimport type { Inner } from './inner.js';\nexport declare const a: <T>(x: T) => Promise<Inner>;\n",
    );
    const { exitCode, output } = project.run('scripts/check-public-types.mjs');
    expect([exitCode, output]).toEqual([0, 'public types: 3 types and functions looked at, 0 problems\n']);
  });

  it('names each type that a signature names and no entry exports', () => {
    entry("import type { Inner } from './inner.js';\nexport declare const a: () => Promise<Inner>;\n");
    const { exitCode, output } = project.run('scripts/check-public-types.mjs');
    expect(exitCode).toBe(1);
    expect(output).toContain('Inner (packages/client/dist/inner.d.ts) stands in the signature of a');
    expect(output).toContain('Deep (packages/client/dist/inner.d.ts) stands in the signature of Inner');
  });
});

describe('check-docstrings', () => {
  const FILE = 'packages/core/src/base/thing.ts';

  it('passes what is documented, what is not exported, and files for tests', () => {
    project.write('scripts/docstring-ratchet.json', '{}');
    project.write(
      FILE,
      '/** A thing. */\nexport type Thing = string;\nconst hidden = 1;\n/** Shows it. */\nexport const show = () => hidden;\n',
    );
    project.write('packages/core/src/base/thing.oracle.ts', 'export const oracle = 1;\n');
    project.write(TEST_FILE, 'export const inTest = 1;\n');
    const { exitCode, output } = project.run('scripts/check-docstrings.mjs');
    expect([exitCode, output]).toEqual([0, 'docstrings: 2 exports in 1 files, 0 still without, 0 problems\n']);
  });

  it('names each export without a comment of its own, whatever stands above another', () => {
    project.write('scripts/docstring-ratchet.json', '{}');
    project.write(
      FILE,
      '/** A thing. */\nexport type Thing = string;\nexport type Other = Thing;\n// no doc\nexport function make() {}\n',
    );
    const { exitCode, output } = project.run('scripts/check-docstrings.mjs');
    expect(output).toContain(`${FILE}:3: Other has no doc comment\n${FILE}:5: make has no doc comment`);
    expect(exitCode).toBe(1);
  });

  it('lets a listed file lack fewer but not more, and asks to lower or remove its line', () => {
    project.write('scripts/docstring-ratchet.json', `{ "${FILE}": 2, "gone.ts": 1 }`);
    const bare = (count: number) => Array.from({ length: count }, (_, i) => `export const a${i} = 1;\n`).join('');
    project.write(FILE, bare(3));
    expect(project.run('scripts/check-docstrings.mjs').output).toContain(`${FILE}:3: a2 has no doc comment`);
    project.write(FILE, bare(1));
    const { output } = project.run('scripts/check-docstrings.mjs');
    expect(output).toContain(`${FILE} lacks 1; lower its line`);
    expect(output).toContain('gone.ts is gone; remove its line');
    project.write(FILE, '');
    expect(project.run('scripts/check-docstrings.mjs').output).toContain(`${FILE} lacks 0; remove its line`);
  });
});

describe('check-size', () => {
  const lines = (count: number) => 'export {};\n'.repeat(count);

  it('passes 500 lines and refuses 501', () => {
    project.write('packages/core/src/long.ts', lines(500));
    expect(project.run('scripts/check-size.mjs').exitCode).toBe(0);
    project.write('packages/core/src/long.ts', lines(501));
    const { exitCode, output } = project.run('scripts/check-size.mjs');
    expect(output).toContain('packages/core/src/long.ts: 501 lines, at most 500 allowed');
    expect(exitCode).toBe(1);
  });

  it('lets a listed file shrink but not grow, and asks to lower or remove its line', () => {
    project.write('scripts/size-ratchet.json', '{ "packages/core/src/long.ts": 600, "gone.ts": 700 }');
    project.write('packages/core/src/long.ts', lines(601));
    expect(project.run('scripts/check-size.mjs').output).toContain('601 lines, at most 600 allowed');
    project.write('packages/core/src/long.ts', lines(550));
    expect(project.run('scripts/check-size.mjs').output).toContain('long.ts shrank; lower it to 550');
    project.write('packages/core/src/long.ts', lines(400));
    const { output } = project.run('scripts/check-size.mjs');
    expect(output).toContain('long.ts is within 500; remove its line');
    expect(output).toContain('gone.ts is gone; remove its line');
  });

  it('leaves generated folders alone', () => {
    project.write('schemas/src/generated/all.ts', lines(900));
    expect(project.run('scripts/check-size.mjs').exitCode).toBe(0);
  });
});

describe('check-docs', () => {
  const SOURCE = [
    'export function send() {',
    '  // #region send',
    '  if (ready) {',
    '    // #region inner',
    '    go();',
    '    // #endregion',
    '  }',
    '  // #endregion',
    '}',
    '',
  ].join('\n');
  const page = (marker: string, ...code: string[]) => ['# Page', '', marker, '```ts', ...code, '```', ''].join('\n');
  const MARKER = '<!-- from: examples/src/send.ts#send -->';

  beforeEach(() => project.write('examples/src/send.ts', SOURCE));

  it('passes a fence that quotes its region, at any indentation', () => {
    project.write('README.md', page(MARKER, 'if (ready) {', '  go();', '}'));
    project.write('docs/guide.md', page(MARKER, '    if (ready) {', '      go();', '    }'));
    const { exitCode, output } = project.run('scripts/check-docs.mjs');
    expect(output).toBe('docs: 2 code fences in 2 pages, 0 problems\n');
    expect(exitCode).toBe(0);
  });

  it('refuses a fence without a source, one that differs, and sources that are not there', () => {
    project.write('docs/deep/a.md', page('Some text.', 'go();'));
    project.write('docs/b.md', page(MARKER, 'if (ready) {', '  stop();', '}'));
    project.write('docs/c.md', page('<!-- from: examples/src/send.ts#other -->', 'go();'));
    project.write('docs/d.md', page('<!-- from: examples/src/gone.ts#send -->', 'go();'));
    project.write('docs/e.md', page('<!-- from: scripts/build.mjs#send -->', 'go();'));
    project.write('docs/f.md', '```js\ngo();\n```\n\n```ts\ngo();\n');
    const { exitCode, output } = project.run('scripts/check-docs.mjs');
    expect(output).toContain('docs/deep/a.md:4: no <!-- from: FILE#REGION --> above this code');
    expect(output).toContain('docs/b.md:4: differs from examples/src/send.ts#send');
    expect(output).toContain('docs/c.md:4: examples/src/send.ts#other: has no region other');
    expect(output).toContain('docs/d.md:4: examples/src/gone.ts does not exist');
    expect(output).toContain('docs/e.md:4: scripts/build.mjs is not in examples/src or packages');
    expect(output).toContain('docs/f.md:1: no <!-- from');
    expect(output).toContain('docs/f.md:5: the code fence is not closed');
    expect(exitCode).toBe(1);
  });

  it('fills fences with --write, after which the page passes', () => {
    const filled = page(MARKER, 'if (ready) {', '  go();', '}');
    project.write('README.md', page(MARKER) + page('<!-- from: examples/src/send.ts#inner -->', 'old();', 'old();'));
    expect(project.run('scripts/check-docs.mjs', '--write').exitCode).toBe(0);
    expect(project.read('README.md')).toBe(filled + page('<!-- from: examples/src/send.ts#inner -->', 'go();'));
    expect(project.run('scripts/check-docs.mjs').exitCode).toBe(0);
  });
});

describe('check-tests', () => {
  const PASSING = [
    "it('x', () => { expect(1).toBe(1); });",
    "it('x', async () => { await expect(f()).rejects.toThrow('x'); });",
    "it('x', () => expect(f()).resolves.toBe(1));",
    "it.each([1])('x %i', (n) => { expect(n).toBe(1); });",
    "test.concurrent('x', { timeout: 5 }, () => { assert.equal(1, 1); });",
    "it('prop', () => { fc.assert(fc.property(fc.nat(), (n) => n >= 0)); });",
    "it('x', () => { expectOpens(box); });",
    "const body = () => { expect(1).toBe(1); };\nit('x', body);",
    "it('x', () => { expect.assertions(1); expect(1).not.toBe(2); });",
    "const matches = /a/.test('a') && pattern.test('b');",
  ];
  const REFUSED: readonly (readonly [string, string])[] = [
    ["it('x', () => { run(); });", 'the test has no assertion'],
    ["it.each([1])('x %i', (n) => { run(n); });", 'the test has no assertion'],
    ["it('x', () => { expect(run()); });", 'expect() without a matcher call'],
    ["it('x', () => { expect(run()).toBe; });", 'expect() without a matcher call'],
    ["it('x', () => { expect(run()).not; });", 'expect() without a matcher call'],
    ["it('x', async () => { expect(f()).rejects.toThrow(); });", 'a promise matcher that is not awaited'],
    ["it.only('x', () => { expect(1).toBe(1); });", '.only switches'],
    ["describe.skip('x', () => { it('y', () => { expect(1).toBe(1); }); });", '.skip switches'],
    ["it.todo('x');", '.todo switches'],
    ["it.skipIf(isSlow)('x', () => { expect(1).toBe(1); });", '.skipIf switches'],
    ["it.fails('x', () => { expect(1).toBe(2); });", '.fails switches'],
    ["xit('x', () => { expect(1).toBe(1); });", 'xit switches'],
    ["it('x', (ctx) => { ctx.skip(); expect(1).toBe(1); });", 'the test skips itself'],
    ["it('x', ({ skip }) => { skip(); expect(1).toBe(1); });", 'the test skips itself'],
    ["it('x');", 'the test has no function in this file'],
    ["function expectOpens() {}\nit('x', () => { expectOpens(); });", 'expectOpens contains no assertion'],
  ];

  it('passes tests that assert', () => {
    for (const [index, code] of PASSING.entries()) project.write(`packages/core/src/fine-${index}.test.ts`, code);
    const { exitCode, output } = project.run('scripts/check-tests.mjs');
    expect(output).toBe('tests: 9 tests in 10 files, 0 problems\n');
    expect(exitCode).toBe(0);
  });

  it('names the line and the problem of each test that proves nothing', () => {
    for (const [index, [code]] of REFUSED.entries())
      project.write(`packages/core/src/bad-${index}.test.ts`, `\n${code}\n`);
    const { exitCode, output } = project.run('scripts/check-tests.mjs');
    const found = output.split('\n').filter((line) => line.startsWith('packages/'));
    REFUSED.forEach(([code, problem], index) => {
      const here = found.filter((line) => line.startsWith(`packages/core/src/bad-${index}.test.ts:2: `));
      expect(here, code).toEqual([expect.stringContaining(problem)]);
    });
    expect(found).toHaveLength(REFUSED.length);
    expect(exitCode).toBe(1);
  });
});

describe('check-unused', () => {
  it('names the export, the file and the dependency that nothing uses, and what its tests alone keep', () => {
    project.write('packages/core/src/base/index.ts', "export { used } from './thing.ts';\n");
    project.write('packages/core/src/base/thing.ts', 'export const used = 1;\nexport const dead = 2;\n');
    project.write(
      'packages/client/src/index.ts',
      "import { used } from '@sluice/core/base';\nexport const api = used;\n",
    );
    project.write('packages/client/src/gone.ts', 'export const gone = 1;\n');
    project.write('packages/client/src/helper.ts', 'export const help = 1;\n');
    project.write('packages/client/src/client.test.ts', "import { help } from './helper.ts';\nhelp.toFixed();\n");
    const { exitCode, output } = project.run('scripts/check-unused.mjs');
    const [withTests = '', withoutTests = ''] = output.split('without tests:');
    expect(withTests).toMatch(/^dead +packages\/core\/src\/base\/thing.ts:2/m);
    expect(withTests).toMatch(/^uuid +packages\/client\/package.json/m);
    expect(withTests).toContain('packages/client/src/gone.ts');
    expect(withTests).not.toMatch(/^(used|api|help) |helper.ts/m);
    expect(withoutTests).toContain('packages/client/src/helper.ts');
    expect(exitCode).toBe(1);
  });
});

describe('check-faults', () => {
  const CITED = `\`${TEST_FILE.replace('packages/', '')}\``;
  const row = (n: number, cells: string): string => `| F${n} A fault | ${cells} |\n`;
  const page = (rowOf: (n: number) => string): string => Array.from({ length: 31 }, (_, i) => rowOf(i + 1)).join('');

  beforeEach(() => project.write(TEST_FILE, "it('[TAB-1] holds', () => expect(1).toBe(1));\n"));

  it('passes 31 faults with tests that exist, or with why there are none', () => {
    const rowOf = (n: number): string => row(n, n % 2 === 0 ? '— one node | ' : `Is caught. | ${CITED} [TAB-1] holds`);
    project.write('docs/faults.md', `# Faults\n\n${page(rowOf)}`);
    const { exitCode, output } = project.run('scripts/check-faults.mjs');
    expect([exitCode, output]).toEqual([0, 'faults: 31 faults, 16 tests named, 0 problems\n']);
  });

  it('names the test, the file or the row that is not there, and a fault without any', () => {
    const bad = [
      `Is caught. | ${CITED} [TAB-1] holds<br>${CITED} [TAB-1] hol`,
      'Is caught. | `core/src/gone.test.ts` [TAB-1] holds',
      'Is caught. | ',
      `— one node | ${CITED} [TAB-1] holds`,
    ];
    project.write(
      'docs/faults.md',
      page((n) => row(n === 31 ? 30 : n, bad[n - 1] ?? '— one node | ')),
    );
    const { exitCode, output } = project.run('scripts/check-faults.mjs');
    expect(output).toContain(`docs/faults.md:1: F1: ${TEST_FILE} has no test of the name [TAB-1] hol\n`);
    expect(output).toContain('docs/faults.md:2: F2: packages/core/src/gone.test.ts does not exist');
    expect(output).toContain('docs/faults.md:3: F3: not of the form');
    expect(output).toContain('docs/faults.md:4: F4 does not apply and names a test');
    expect(output).toContain('F30 F30, and have to be F1 to F31');
    expect(exitCode).toBe(1);
  });
});

describe('biome.json', () => {
  const BIOME = 'node_modules/@biomejs/biome/bin/biome';
  const REFUSED = {
    noFloatingPromises: 'async function f(): Promise<void> {}\nexport function g(): void {\n  f();\n}\n',
    noFocusedTests: "import { expect, it } from 'vitest';\n\nit.only('x', () => {\n  expect(1).toBe(1);\n});\n",
    noSkippedTests: "import { expect, it } from 'vitest';\n\nit.skip('x', () => {\n  expect(1).toBe(1);\n});\n",
    noExplicitAny: 'export const a: any = 1;\n',
    noNonNullAssertion: 'export const first = (list: string[]): string => list[0]!;\n',
    useImportType: "import { T } from './t.ts';\n\nexport const a: T = 1;\n",
    useNodejsImportProtocol: "import { readFileSync } from 'fs';\n\nexport const a = readFileSync;\n",
    noDefaultExport: 'export default 1;\n',
    format: 'export const a = "double"\n',
  };

  it('refuses what STYLE forbids', () => {
    for (const [rule, code] of Object.entries(REFUSED)) project.write(`packages/core/src/${rule}.test.ts`, code);
    const { exitCode, output } = project.run(BIOME, 'check', 'packages');
    for (const rule of Object.keys(REFUSED)) {
      expect(output).toMatch(new RegExp(`src/${rule}\\.test\\.ts(:\\d+:\\d+)? .*${rule}|${rule}\\.test\\.ts ${rule}`));
    }
    expect(exitCode).toBe(1);
  });

  it('sees a floating promise whose type comes from another file', () => {
    project.write('packages/core/src/save.ts', 'export async function save(): Promise<void> {}\n');
    const code = "import { save } from './save.ts';\n\nexport function f(): void {\n  save();\n}\n";
    project.write('packages/core/src/uses.ts', code);
    expect(project.run(BIOME, 'check', 'packages').output).toContain('noFloatingPromises');
  });

  it('passes clean code', () => {
    project.write('packages/core/src/base/fine.ts', 'export const a = 1;\n');
    expect(project.run(BIOME, 'check', 'packages').exitCode).toBe(0);
  });
});

function plantedTest(...rules: string[]): string {
  return `it('${rules.map((rule) => `[${rule}]`).join(' ')} holds', () => { expect(1).toBe(1); });\n`;
}
