/**
 * Checks that every code fence in README.md and docs/ quotes a named region of compiled code.
 *
 * A fence names its source in the line above: `<!-- from: examples/src/send.ts#send -->`. With `--write` the fences are filled in.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readFences, readRegion } from './doc-regions.mjs';
import { projectFiles, ROOT } from './project-files.mjs';
import { report } from './report.mjs';

const QUOTABLE = /^(examples\/src\/.+\.tsx?|packages\/.+\.tsx?)$/;

const isWriting = process.argv.includes('--write');
const pages = projectFiles().filter((path) => path === 'README.md' || /^docs\/.+\.md$/.test(path));
const problems = [];
let fenceCount = 0;
for (const page of pages) checkPage(page);
report('docs', problems, `${fenceCount} code fences in ${pages.length} pages`);

function checkPage(page) {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const lines = text.split('\n');
  // From the bottom up, so that a fence that changes length does not move those still to be written.
  for (const fence of readFences(text).reverse()) {
    fenceCount++;
    const wanted = wantedLines(fence);
    if (wanted.problem !== undefined) problems.push(`${page}:${fence.first + 1}: ${wanted.problem}`);
    else if (wanted.lines.join('\n') === fence.lines.join('\n')) continue;
    else if (isWriting)
      lines.splice(fence.first + 1, fence.last - fence.first - 1, ...indented(wanted.lines, fence.indent));
    else problems.push(`${page}:${fence.first + 1}: differs from ${nameOf(fence)}; run npm run docs:write`);
  }
  const written = lines.join('\n');
  if (written !== text) {
    writeFileSync(join(ROOT, page), written);
    console.log(`wrote ${page}`);
  }
}

function wantedLines(fence) {
  const { source } = fence;
  if (!fence.isClosed) return { problem: 'the code fence is not closed' };
  if (source === undefined) return { problem: 'no <!-- from: FILE#REGION --> above this code' };
  if (!QUOTABLE.test(source.path) || source.path.includes('..')) {
    return { problem: `${source.path} is not in examples/src or packages` };
  }
  if (!existsSync(join(ROOT, source.path))) return { problem: `${source.path} does not exist` };
  const region = readRegion(readFileSync(join(ROOT, source.path), 'utf8'), source.region);
  return region.problem === undefined ? region : { problem: `${nameOf(fence)}: ${region.problem}` };
}

function indented(lines, indent) {
  return lines.map((line) => (line === '' ? '' : indent + line));
}

function nameOf({ source }) {
  return `${source.path}#${source.region}`;
}
