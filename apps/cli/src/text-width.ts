/** How wide text is on a terminal, and text cut, filled and wrapped by that. Must not know what the text says. */

/** Characters that take two columns: East Asian wide ones and emoji. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1aff0}-\u{1b2ff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]/u;
/** Two of them are one flag, which takes two columns. */
const HALF_FLAG = /^\p{Regional_Indicator}$/u;
/** What is drawn over or into the character before: marks, vowels of Hangul, colours of skin. */
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff\p{Emoji_Modifier}]/u;
const JOINER = '\u200d';
const AS_EMOJI = '\ufe0f';

/** Parts that are drawn together, each with its columns. */
function parts(text: string): { readonly part: string; readonly width: number }[] {
  const found: { part: string; width: number }[] = [];
  let isJoined = false;
  for (const char of text) {
    const last = found.at(-1);
    if (last && (isJoined || NO_WIDTH.test(char))) {
      last.part += char;
      if (char === AS_EMOJI) last.width = 2;
    } else
      found.push({ part: char, width: NO_WIDTH.test(char) ? 0 : WIDE.test(char) && !HALF_FLAG.test(char) ? 2 : 1 });
    isJoined = char === JOINER;
  }
  return found;
}

/** Columns that a line takes. */
export const widthOf = (line: string): number =>
  // Most of what is shown is ASCII.
  /^[ -~]*$/.test(line) ? line.length : parts(line).reduce((sum, { width }) => sum + width, 0);

/** Cuts a line to so many columns; the last says that something is missing. */
export function cut(line: string, width: number): string {
  if (widthOf(line) <= width) return line;
  return `${begin(line, Math.max(0, width - 1))}\u2026`;
}

/** As much of a line as fits into so many columns. */
function begin(line: string, width: number): string {
  let used = 0;
  let kept = '';
  for (const one of parts(line)) {
    used += one.width;
    if (used > width) break;
    kept += one.part;
  }
  return kept;
}

/** Fills a line with spaces up to so many columns. */
export const filled = (line: string, width: number): string => line + ' '.repeat(Math.max(0, width - widthOf(line)));

/**
 * A line as several of at most so many columns, broken at spaces where there are some. The first begins with `first`, the others with as
 * many spaces and two more.
 */
export function wrapped(line: string, columns: number, first = ''): string {
  // Room for the widest character at least, or no line would take anything.
  const width = Math.max(columns, widthOf(first) + 4);
  if (widthOf(first + line) <= width) return first + line;
  const next = ' '.repeat(widthOf(first) + 2);
  const lines: string[] = [];
  let now = first;
  let isEmpty = true;
  const push = (): void => {
    lines.push(now);
    now = next;
    isEmpty = true;
  };
  for (const word of line.split(' ')) {
    const glue = isEmpty ? '' : ' ';
    if (widthOf(now + glue + word) <= width) {
      now += glue + word;
      isEmpty = false;
      continue;
    }
    // A word that fits on a line of its own goes there whole; a longer one is broken where the line ends.
    let rest = word;
    if (widthOf(next + word) <= width) push();
    else if (glue !== '' && widthOf(now) + 1 < width) now += glue;
    while (widthOf(now + rest) > width) {
      const head = begin(rest, width - widthOf(now));
      now += head;
      rest = rest.slice(head.length);
      push();
    }
    now += rest;
    isEmpty = false;
  }
  lines.push(now);
  return lines.join('\n');
}
