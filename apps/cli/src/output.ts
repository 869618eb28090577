/** What a command says: lines for people, or one JSON value a line for programs. */

export type Output = {
  readonly json: boolean;
  /** A result. `human` renders it for people. */
  readonly result: (value: unknown, human: () => string) => void;
  /** A step of long work, to the error stream, never in JSON mode. */
  readonly note: (text: string) => void;
  /** A progress bar over `total` steps; on a pipe or in JSON mode it is silent. */
  readonly progress: (
    title: string,
    total: number,
  ) => Promise<{ readonly to: (done: number) => void; readonly end: () => void }>;
};

type Streams = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly isTerminal: boolean;
};

/** Creates the output of one run. */
export function createOutput(json: boolean, streams: Streams = systemStreams()): Output {
  return {
    json,
    result: (value, human) => streams.out(`${json ? JSON.stringify(value) : human()}\n`),
    note: (text) => {
      if (!json) streams.err(`${text}\n`);
    },
    progress: async (title, total) => {
      if (json || !streams.isTerminal) return { to: () => undefined, end: () => undefined };
      const { progress } = await import('@clack/prompts');
      const bar = progress({ max: Math.max(1, total) });
      let at = 0;
      bar.start(title);
      return {
        to: (done) => {
          bar.advance(done - at, `${title} ${done} of ${total}`);
          at = done;
        },
        end: () => bar.stop(`${title} ${at} of ${total}`),
      };
    },
  };
}

const systemStreams = (): Streams => ({
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTerminal: process.stderr.isTTY === true,
});

/** Rows as a table of aligned columns. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((r) => (r[i] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Text from elsewhere, made safe for a terminal: control characters are shown, not sent. */
export const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]/gu, '\u{FFFD}');
