/** Looks for plaintext in everything a node keeps, in the forms it could take. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type Hit = { readonly file: string; readonly word: string; readonly form: string };

/** Every form of a word: UTF-8, hex, and base64 and base64url at each of the three alignments. */
export function formsOf(word: string): { readonly form: string; readonly text: string }[] {
  const forms = [
    { form: 'utf8', text: word },
    { form: 'hex', text: Buffer.from(word).toString('hex') },
  ];
  for (const shift of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(shift), Buffer.from(word)]);
    // Whole groups of the word alone: the edges depend on its neighbours.
    const whole = padded
      .toString('base64')
      .slice(Math.ceil((shift * 8) / 6) + (shift > 0 ? 1 : 0), Math.floor((padded.length * 8) / 24) * 4);
    if (whole.length < 6) continue;
    forms.push(
      { form: `base64+${shift}`, text: whole },
      { form: `base64url+${shift}`, text: whole.replaceAll('+', '-').replaceAll('/', '_') },
    );
  }
  return forms;
}

/** Scans every file below a directory. Result: the hits, and how many bytes were read. */
export function scanForWords(
  directory: string,
  words: readonly string[],
): { readonly hits: Hit[]; readonly bytes: number; readonly files: number } {
  const hits: Hit[] = [];
  let bytes = 0;
  let files = 0;
  for (const name of readdirSync(directory, { recursive: true }) as string[]) {
    const path = join(directory, name);
    if (!statSync(path).isFile()) continue;
    const content = readFileSync(path);
    bytes += content.length;
    files++;
    for (const word of words)
      for (const { form, text } of formsOf(word)) if (content.includes(text)) hits.push({ file: name, word, form });
  }
  return { hits, bytes, files };
}
