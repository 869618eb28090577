/** Looks for words and keys that should be nowhere, in every form that bytes could have been written down in. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A text or bytes to look for. Anything under 5 bytes would be found by chance. */
export type Canary = string | { readonly name: string; readonly bytes: Uint8Array };
export type Hit = { readonly file: string; readonly word: string; readonly form: string };
export type ScanResult = { readonly hits: readonly Hit[]; readonly bytes: number; readonly files: number };

type Form = { readonly form: string; readonly needle: Buffer };

const MIN_BYTES = 5;
/** Base64 of the whole groups of a short word: below this many characters chance finds it. */
const MIN_BASE64 = 6;

/** Every form of a canary: as it is, UTF-16, hex in both cases, base64 and base64url at each of the three alignments. */
export function formsOf(canary: Canary): readonly Form[] {
  const bytes = Buffer.from(typeof canary === 'string' ? canary : canary.bytes);
  if (bytes.length < MIN_BYTES) throw new RangeError(`too short to look for: ${nameOf(canary)}`);
  const hex = bytes.toString('hex');
  const forms = [
    { form: 'utf8', needle: bytes },
    { form: 'hex', needle: Buffer.from(hex) },
    { form: 'HEX', needle: Buffer.from(hex.toUpperCase()) },
  ];
  if (typeof canary === 'string') forms.push({ form: 'utf16', needle: Buffer.from(canary, 'utf16le') });
  for (const shift of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(shift), bytes]);
    // Only characters that the canary alone decides: those at the edges also depend on its neighbours.
    const first = Math.ceil((shift * 8) / 6);
    const own = padded.toString('base64').slice(first, Math.floor((padded.length * 8) / 6));
    if (own.length < MIN_BASE64) continue;
    const url = own.replaceAll('+', '-').replaceAll('/', '_');
    forms.push(
      { form: `base64+${shift}`, needle: Buffer.from(own) },
      { form: `base64url+${shift}`, needle: Buffer.from(url) },
    );
  }
  return forms;
}

/** Scans every file below a directory, or those whose path below it `chosen` accepts. */
export function scanForWords(
  directory: string,
  canaries: readonly Canary[],
  chosen: (path: string) => boolean = () => true,
): ScanResult {
  const files = (readdirSync(directory, { recursive: true }) as string[])
    .filter((name) => chosen(name) && statSync(join(directory, name)).isFile())
    .map((name) => ({ file: name, content: readFileSync(join(directory, name)) }));
  return scanBytes(files, canaries);
}

/** Scans byte strings, each with a name. */
export function scanBytes(
  contents: readonly { readonly file: string; readonly content: Uint8Array }[],
  canaries: readonly Canary[],
): ScanResult {
  const wanted = canaries.map((canary) => ({ word: nameOf(canary), forms: formsOf(canary) }));
  const hits: Hit[] = [];
  let bytes = 0;
  for (const { file, content } of contents) {
    const buffer = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
    bytes += buffer.length;
    for (const { word, forms } of wanted)
      for (const { form, needle } of forms) if (buffer.includes(needle)) hits.push({ file, word, form });
  }
  return { hits, bytes, files: contents.length };
}

const nameOf = (canary: Canary): string => (typeof canary === 'string' ? canary : canary.name);
