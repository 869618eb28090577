/** Text cut, filled and wrapped by the columns that it takes on a terminal. Must not know what the text says. */

import truncated from 'fast-string-truncated-width';
import stringWidth from 'fast-string-width';
import { wrapAnsi } from 'fast-wrap-ansi';

const ELLIPSIS = '\u2026';

/** Columns that a line takes: wide characters and emoji take two, marks none. */
export const widthOf = (line: string): number => stringWidth(line);

/** Cuts a line to so many columns; the last says that something is missing. */
export function cut(line: string, width: number): string {
  const { index, truncated: isCut } = truncated(line, { limit: width, ellipsis: ELLIPSIS, ellipsisWidth: 1 });
  return isCut ? line.slice(0, index) + ELLIPSIS : line;
}

/** Fills a line with spaces up to so many columns. */
export const filled = (line: string, width: number): string => line + ' '.repeat(Math.max(0, width - widthOf(line)));

/**
 * A line as several of at most so many columns, broken at spaces where there are some. The first begins with `first`, the others with as
 * many spaces and two more.
 */
export function wrapped(line: string, columns: number, first = ''): string {
  if (widthOf(first + line) <= columns) return first + line;
  const next = ' '.repeat(widthOf(first) + 2);
  // Room for the widest characters, or no line would take anything.
  const width = Math.max(4, columns - next.length);
  return first + wrapAnsi(line, width, { hard: true, trim: true }).replaceAll('\n', `\n${next}`);
}
