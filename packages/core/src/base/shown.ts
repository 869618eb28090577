/** Values of others inside of sentences: short, quoted, and unable to make a sentence read as another. */

const MAX_SHOWN = 60;

/** Text without what could change how its surroundings read: control, format and bidi characters are shown as their code. */
export function shownText(text: string, maxChars = MAX_SHOWN): string {
  const shown = [...text.slice(0, 2 * maxChars)]
    .map((c) => (/[\p{C}\p{Zl}\p{Zp}"\\]/u.test(c) ? `\\u{${(c.codePointAt(0) as number).toString(16)}}` : c))
    .join('');
  return shown.length > maxChars ? `${shown.slice(0, maxChars)}…` : shown;
}

/** A name of one word, whose every character can be seen, if only as its code. */
const PLAIN_NAME = /^(?:\p{C}|(?!\p{DI})[\p{L}\p{M}\p{N}_.-])+$/u;

/** An untrusted name of a field: quoted, unless it is one word, so that it cannot be read as a part of the sentence around it. */
export const shownName = (name: string): string => (PLAIN_NAME.test(name) ? shownText(name) : shownValue(name));

/** Names an untrusted value: a text quoted, a number, a boolean or null as it is, anything larger by its kind. */
export function shownValue(value: unknown): string {
  if (typeof value === 'string') return `"${shownText(value)}"`;
  if (value === undefined) return 'missing';
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
