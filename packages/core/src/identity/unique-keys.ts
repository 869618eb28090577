/** Finds JSON text in which an object names a key twice: readers disagree on which value holds. */

/**
 * Tells whether every object of a well-formed JSON text has distinct keys, compared after unescaping.
 * NOTE: call it on text that already parsed; on other text the answer means nothing.
 */
export function hasUniqueKeys(text: string): boolean {
  /** One set for each open object, null for each open array. */
  const open: (Set<string> | null)[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '{') open.push(new Set());
    else if (c === '[') open.push(null);
    else if (c === '}' || c === ']') open.pop();
    else if (c === '"') {
      const start = i;
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === '\\') i++;
      const keys = open.at(-1);
      if (!keys || !isFollowedByColon(text, i + 1)) continue;
      const key = JSON.parse(text.slice(start, i + 1)) as string;
      if (keys.has(key)) return false;
      keys.add(key);
    }
  }
  return true;
}

function isFollowedByColon(text: string, from: number): boolean {
  let i = from;
  while (text[i] === ' ' || text[i] === '\n' || text[i] === '\r' || text[i] === '\t') i++;
  return text[i] === ':';
}
