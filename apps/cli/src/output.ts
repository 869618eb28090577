/** What a command says: lines for people, or one JSON value a line for programs. */

import type { Io } from './io.ts';
import { cut, filled, widthOf, wrapped } from './text-width.ts';

export type Progress = { readonly to: (done: number, total?: number) => void; readonly end: () => void };
export type Output = {
  readonly json: boolean;
  /** A result. `human` renders it for people. */
  readonly result: (value: unknown, human: () => string) => void;
  /** A remark to people, to the error stream, never in JSON mode. */
  readonly note: (text: string) => void;
  /** A line that shows how far long work is; silent unless the error stream is a terminal. Without a total it counts. */
  readonly progress: (title: string, total?: number) => Progress;
  /** Rows as aligned columns, cut to the terminal's width. Without rows it is `empty`, which says what to do. */
  readonly table: (head: readonly string[], rows: readonly (readonly string[])[], empty: string) => string;
  /** Cuts a line to the terminal's width; elsewhere it stays whole. */
  readonly fit: (line: string) => string;
  /** Breaks a line at the terminal's width and loses nothing of it; elsewhere it stays one line. All lines are indented by `indent`. */
  readonly wrap: (line: string, indent?: string) => string;
};

const REDRAW_MS = 80;
const BAR = 24;

/** Creates the output of one run. */
export function createOutput(json: boolean, io: Io, nowMs: () => number = () => performance.now()): Output {
  const width = (): number => (io.outIsTerminal ? io.columns() : Number.POSITIVE_INFINITY);
  return {
    json,
    result: (value, human) => io.out(`${json ? escaped(JSON.stringify(value)) : human()}\n`),
    note: (text) => {
      if (!json) io.err(`${text}\n`);
    },
    progress: (title, total) => {
      if (json || !io.errIsTerminal) return { to: () => undefined, end: () => undefined };
      let drawnMs = Number.NEGATIVE_INFINITY;
      let last = '';
      let isStarted = false;
      const draw = (): void => {
        drawnMs = nowMs();
        io.err(`\r${cut(last, io.columns() - 1)}\u001b[K`);
      };
      const show = (done: number, of: number | undefined): void => {
        last = progressLine(title, done, of);
        // The first step is always shown; then not more often than eyes follow.
        if (nowMs() - drawnMs >= REDRAW_MS || (done > 0 && !isStarted)) draw();
        isStarted = done > 0;
      };
      show(0, total);
      return { to: (done, of = total) => show(done, of), end: () => io.err('\r\u001b[K') };
    },
    table: (head, rows, empty) => (rows.length === 0 ? empty : table([head, ...rows], width())),
    fit: (line) => cut(line, width()),
    wrap: (line, indent) => wrapped(line, width(), indent),
  };
}

function progressLine(title: string, done: number, total: number | undefined): string {
  if (total === undefined || total === 0) return `${title} ${done === 0 ? '...' : done}`;
  const full = Math.min(BAR, Math.round((done / total) * BAR));
  return `${title} [${'#'.repeat(full)}${'-'.repeat(BAR - full)}] ${done} of ${total}`;
}

const GAP = 2;
const LEAST = 8;
/** From this many times the width on, cut columns would say nothing. */
const CROWDED = 1.15;

/** Rows as a table of aligned columns. Where it is too wide, the widest columns are cut; with too many of them, each row becomes a block. */
export function table(rows: readonly (readonly string[])[], width = Number.POSITIVE_INFINITY): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((r) => widthOf(r[i] ?? ''))));
  const whole = (): number => widths.reduce((sum, w) => sum + w + GAP, -GAP);
  const least = widths.reduce((sum, w) => sum + Math.min(w, Math.trunc(width / 2)) + GAP, -GAP);
  if (least > width * CROWDED) return blocks(rows, width);
  while (whole() > width && Math.max(...widths) > LEAST) {
    const widest = widths.indexOf(Math.max(...widths));
    widths[widest] = Math.max(LEAST, (widths[widest] ?? 0) - (whole() - width > 8 ? 4 : 1));
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) => filled(cut(cell, widths[i] ?? 0), widths[i] ?? 0))
        .join(' '.repeat(GAP))
        .trimEnd(),
    )
    .join('\n');
}

function blocks([head = [], ...rows]: readonly (readonly string[])[], width: number): string {
  const names = Math.max(...head.map(widthOf));
  return rows
    .map((row) => row.map((cell, i) => cut(`${filled(head[i] ?? '', names)}  ${cell}`, width)).join('\n'))
    .join('\n\n');
}

/** Where an invisible joiner belongs: between emoji that are drawn as one, and in scripts that cannot be written without. */
const JOINED =
  '(?<=[\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\ufe0f])\\u200d(?=\\p{Extended_Pictographic})|' +
  '(?<=[\\p{Script=Arab}\\p{Script=Beng}\\p{Script=Deva}\\p{Script=Gujr}\\p{Script=Knda}\\p{Script=Mlym}\\p{Script=Orya}\\p{Script=Sinh}\\p{Script=Taml}\\p{Script=Telu}])[\\u200c\\u200d](?=[\\p{L}\\p{M}])';
const OBEYED = new RegExp(`(${JOINED})|[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]`, 'gu');

/** Text from elsewhere, made safe for a terminal: control characters are shown, not sent. */
export const plain = (text: string): string => text.replace(OBEYED, (_, joiner?: string) => joiner ?? '\u{FFFD}');

/** JSON from elsewhere on one line, safe for a terminal. */
export const plainJson = (value: unknown): string => plain(JSON.stringify(value));

/** The same JSON, with every character escaped that a terminal obeys or hides: it stays another's very words, and harms no screen. */
export const escaped = (json: string): string =>
  json.replace(/[^\P{C}\n]/gu, (c) =>
    Array.from({ length: c.length }, (_, i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  );

/** Letters of an id shown to people; any unique beginning of an id is accepted. */
const SHOWN = 12;

/** An id as people see it. */
export const short = (id: string): string => id.slice(0, SHOWN);

/** A DID as people see it: the host of an app, a beginning of a person's. */
export const who = (did: string): string =>
  did.startsWith('did:web:') ? plain(decodeHost(did)) : did.length > 28 ? `${did.slice(0, 27)}\u2026` : did;

function decodeHost(did: string): string {
  try {
    return decodeURIComponent(did.slice('did:web:'.length));
  } catch {
    return did;
  }
}

/** A bundled schema by its short name, any other by its id. */
export const schemaName = (id: string): string =>
  /^https:\/\/schemas\.sluice\.example\/(.+)\/v[^/]+\/schema\.json$/.exec(id)?.[1] ?? plain(id);

/** An instant as text, in UTC. */
export const when = (ms: number): string => seconds(new Date(ms).toISOString());

/** An instant in UTC without its milliseconds. */
export const seconds = (iso: string): string => iso.replace(/\.\d+Z$/, 'Z');

/** A number of things in words. */
export const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
