/** Holds source files to 500 lines. A file listed in size-ratchet.json may be longer, but only ever gets shorter. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isGenerated, projectFiles, ROOT } from './project-files.mjs';
import { report } from './report.mjs';

const MAX_LINES = 500;
const RATCHET_PATH = 'scripts/size-ratchet.json';

const ratchet = JSON.parse(readFileSync(join(ROOT, RATCHET_PATH), 'utf8'));
const sources = projectFiles().filter((path) => /\.(ts|tsx|mjs)$/.test(path) && !isGenerated(path));
const problems = [];

for (const path of sources) {
  const lines = lineCount(path);
  const allowed = ratchet[path] ?? MAX_LINES;
  if (lines > allowed) problems.push(`${path}: ${lines} lines, at most ${allowed} allowed; split it`);
}
for (const [path, allowed] of Object.entries(ratchet)) {
  if (!Number.isInteger(allowed)) problems.push(`${RATCHET_PATH}: ${path} needs a whole number of lines`);
  else if (!existsSync(join(ROOT, path))) problems.push(`${RATCHET_PATH}: ${path} is gone; remove its line`);
  else if (lineCount(path) <= MAX_LINES)
    problems.push(`${RATCHET_PATH}: ${path} is within ${MAX_LINES}; remove its line`);
  else if (lineCount(path) < allowed) problems.push(`${RATCHET_PATH}: ${path} shrank; lower it to ${lineCount(path)}`);
}
const longest = Math.max(0, ...sources.map(lineCount));
report(
  'size',
  problems,
  `${sources.length} files, longest ${longest} lines, ${Object.keys(ratchet).length} over ${MAX_LINES} allowed`,
);

function lineCount(path) {
  const text = readFileSync(join(ROOT, path), 'utf8');
  return text === '' ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}
