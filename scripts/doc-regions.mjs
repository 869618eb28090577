/** Named regions of source files (`// #region name` to `// #endregion`) and the code fences that quote them in Markdown. */

const REGION_START = /^\s*\/\/\s*#region\s+(\S+)\s*$/;
const REGION_END = /^\s*\/\/\s*#endregion\b/;
const MARKER = /^\s*<!--\s*from:\s*([^\s#]+)#(\S+)\s*-->\s*$/;
const FENCE_START = /^(\s*)(`{3,}|~{3,})\s*([A-Za-z]*)/;
const CODE_LANGUAGES = new Set(['ts', 'tsx', 'typescript', 'mts', 'js', 'jsx', 'javascript', 'mjs']);

/**
 * The lines of one region without common indentation, or a problem in words.
 *
 * Regions may nest; the marker lines of inner regions are left out.
 */
export function readRegion(text, name) {
  const open = [];
  const found = [];
  let seen = 0;
  for (const line of text.split('\n')) {
    const start = REGION_START.exec(line)?.[1];
    if (start !== undefined) {
      if (start === name) seen++;
      open.push(start);
    } else if (REGION_END.test(line)) {
      if (open.pop() === undefined) return { problem: '#endregion without #region' };
    } else if (open.includes(name)) found.push(line);
  }
  if (seen === 0) return { problem: `has no region ${name}` };
  if (seen > 1) return { problem: `has the region ${name} twice` };
  if (open.length > 0) return { problem: `region ${open.at(-1)} has no #endregion` };
  const lines = dedent(found);
  return lines.length === 0 ? { problem: `region ${name} is empty` } : { lines };
}

/**
 * Every fence with TypeScript or JavaScript in a Markdown text.
 *
 * Line numbers are zero-based: `first` is the opening fence, `last` the closing one; `source` is the marker above it.
 */
export function readFences(markdown) {
  const lines = markdown.split('\n');
  const fences = [];
  for (let first = 0; first < lines.length; first++) {
    const [, indent, ticks, language] = FENCE_START.exec(lines[first]) ?? [];
    if (ticks === undefined) continue;
    const last = closingLine(lines, first, ticks);
    if (CODE_LANGUAGES.has(language.toLowerCase())) {
      const quoted = dedent(lines.slice(first + 1, last));
      fences.push({
        first,
        last,
        isClosed: last < lines.length,
        indent,
        lines: quoted,
        source: markerAbove(lines, first),
      });
    }
    first = last;
  }
  return fences;
}

/** Lines without common indentation, trailing space, and blank lines at both ends. */
export function dedent(lines) {
  const trimmed = lines.map((line) => line.trimEnd());
  while (trimmed[0] === '') trimmed.shift();
  while (trimmed.at(-1) === '') trimmed.pop();
  const indents = trimmed.filter((line) => line !== '').map((line) => line.length - line.trimStart().length);
  const common = Math.min(...indents);
  return trimmed.map((line) => line.slice(common));
}

function closingLine(lines, first, ticks) {
  for (let index = first + 1; index < lines.length; index++) {
    const line = lines[index].trim();
    if (line.startsWith(ticks) && [...line].every((char) => char === ticks[0])) return index;
  }
  return lines.length;
}

function markerAbove(lines, first) {
  let index = first - 1;
  while (index >= 0 && lines[index].trim() === '') index--;
  const [, path, region] = MARKER.exec(lines[index] ?? '') ?? [];
  return path === undefined ? undefined : { path, region };
}
