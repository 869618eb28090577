/**
 * Bounds what a `pattern` from elsewhere can cost. It becomes a RegExp, which backtracks and cannot be interrupted, and whoever writes the
 * pattern may also write the text it runs on: `(a+)+$` on thirty letters would hang the program that checks a record.
 */

/** Characters of a pattern at most. */
const MAX_PATTERN = 256;
/** Ways of matching, multiplied over all quantifiers, that one test may have to try. */
const MAX_COST = 2 ** 30;
/** Characters a counted pattern spells out, e.g. 20 for `(ab){10}`: a RegExp compiles each. */
const MAX_SIZE = 2048;

type Group = { cost: number; size: number; alternatives: number; last: Part | undefined };
type Part = { readonly cost: number; readonly size: number; readonly isGroup: boolean };
type Quantifier = { readonly min: number; readonly max: number; readonly end: number };

const openGroup = (): Group => ({ cost: 1, size: 0, alternatives: 1, last: undefined });

/**
 * Says why a pattern is refused, or undefined when testing it on `maxLength` characters stays cheap.
 *
 * Refused: over 256 characters, look-around, back references, a repeated group that itself holds a quantifier or an alternative, and
 * quantifiers whose ways of matching multiply beyond 2^30 (a pattern without a leading `^` starts over at each character).
 */
export function refusePattern(pattern: string, maxLength: number): string | undefined {
  if (pattern.length > MAX_PATTERN) return `a pattern has over ${MAX_PATTERN} characters`;
  try {
    new RegExp(pattern, 'u');
  } catch {
    return 'a pattern is no regular expression';
  }
  const stack: Group[] = [openGroup()];
  for (let at = 0; at < pattern.length; ) {
    const group = stack.at(-1) as Group;
    const c = pattern[at];
    if (c === '(') {
      const head = /^\((?:\?(?::|<[^=!>]+>))?/.exec(pattern.slice(at))?.[0] as string;
      if (head === '(' && pattern[at + 1] === '?') return 'a pattern looks around';
      settle(group);
      stack.push(openGroup());
      at += head.length;
    } else if (c === ')') {
      stack.pop();
      const { cost, size } = close(group);
      (stack.at(-1) as Group).last = { cost, size, isGroup: true };
      at++;
    } else if (c === '|') {
      settle(group);
      group.alternatives++;
      at++;
    } else if (c === '*' || c === '+' || c === '?' || c === '{') {
      const refused = repeat(group, quantifierAt(pattern, at), maxLength);
      if (refused) return refused;
      const { end } = quantifierAt(pattern, at);
      at = pattern[end] === '?' ? end + 1 : end;
    } else {
      settle(group);
      if (/^\\[1-9k]/.test(pattern.slice(at, at + 2))) return 'a pattern refers back';
      group.last = { cost: 1, size: 1, isGroup: false };
      at = atomEnd(pattern, at);
    }
  }
  const { cost, size } = close(stack[0] as Group);
  const isAnchored = pattern.startsWith('^') && stack[0]?.alternatives === 1;
  if (size > MAX_SIZE) return 'a pattern repeats too much';
  return cost * (isAnchored ? 1 : maxLength) > MAX_COST
    ? 'a pattern could take too long; give it a lower maxLength, or fewer quantifiers'
    : undefined;
}

/** Takes the last part into its group, after its quantifier was seen. */
function settle(group: Group): void {
  if (group.last) {
    group.cost *= group.last.cost;
    group.size += group.last.size;
  }
  group.last = undefined;
}

function close(group: Group): { cost: number; size: number } {
  settle(group);
  return { cost: group.cost * group.alternatives, size: group.size };
}

function repeat(group: Group, { min, max }: Quantifier, maxLength: number): string | undefined {
  const part = group.last;
  if (!part) return undefined;
  if (part.isGroup && max > 1 && part.cost > 1) return 'a pattern repeats a group that holds a quantifier or a choice';
  const ways = Math.min(max, maxLength) - Math.min(min, maxLength) + 1;
  group.last = { ...part, cost: part.cost * ways, size: part.size * Math.max(1, max === Infinity ? min : max) };
  return undefined;
}

function quantifierAt(pattern: string, at: number): Quantifier {
  const c = pattern[at];
  if (c !== '{') return { min: c === '+' ? 1 : 0, max: c === '?' ? 1 : Infinity, end: at + 1 };
  const [text = '', min, comma, max] = /^\{(\d+)(,?)(\d*)\}/.exec(pattern.slice(at)) ?? [];
  const least = Number(min);
  return { min: least, max: max ? Number(max) : comma ? Infinity : least, end: at + text.length };
}

/** Where one character, escape or class ends. The RegExp parsed, so each is whole. */
function atomEnd(pattern: string, at: number): number {
  const escaped = /^\\(?:[pPu]\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|[\s\S])/u;
  if (pattern[at] === '\\') return at + (escaped.exec(pattern.slice(at))?.[0].length ?? 2);
  if (pattern[at] !== '[') return at + 1;
  let end = at + 1;
  while (pattern[end] !== ']') end += pattern[end] === '\\' ? 2 : 1;
  return end + 1;
}
