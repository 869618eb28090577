/**
 * Virtual time, and the one queue of everything that happens: frames, timers, operations, faults. One step is one event and all that
 * follows from it without another event. Must not know what events do.
 */

/** A process from its start to its end. Once it ended nothing reaches it, and nothing that it still says is heard. */
export type Life = { readonly name: string; alive: boolean };

/** One entry of the protocol of a run. */
export type TraceLine = { readonly step: number; readonly atMs: number; readonly text: string };

/** The queue. Units: ms of virtual time since the start. */
export type Scheduler = {
  readonly nowMs: () => number;
  /** Number of the step that runs. */
  readonly stepNumber: () => number;
  /** Runs `run` after a delay, unless `life` ended by then. Returns how to call it off. */
  readonly after: (delayMs: number, label: string, life: Life | undefined, run: () => void) => () => void;
  /** Runs the next event and all that follows from it. False when there is none up to `untilMs`. */
  readonly step: (untilMs: number) => Promise<boolean>;
  /** Writes a line into the protocol and its hash. */
  readonly note: (text: string) => void;
  /** The last lines, oldest first. */
  readonly lines: () => readonly TraceLine[];
  /** A number that is another when anything in the protocol is. */
  readonly traceHash: () => string;
  /** Whether the events up to `untilMs` are all done. */
  readonly isIdle: (untilMs: number) => boolean;
};

type Planned = {
  readonly atMs: number;
  readonly order: number;
  readonly life: Life | undefined;
  label: string;
  run: (() => void) | undefined;
};

/** Lines kept for the report of a failure. */
const KEPT_LINES = 400;

/** Creates an empty queue. `turn` resolves when nothing is left that follows from what ran; `onLine` hears every line. */
export function createScheduler(
  turn: () => Promise<void>,
  startMs = 0,
  onLine: (line: TraceLine) => void = () => undefined,
): Scheduler {
  const queue: Planned[] = [];
  const lines: TraceLine[] = [];
  let nowMs = startMs;
  let order = 0;
  let steps = 0;
  let hash = 0xcbf29ce4;
  let hash2 = 0x84222325;

  const note = (text: string): void => {
    const line = { step: steps, atMs: nowMs, text };
    const all = `${steps} ${nowMs} ${text}`;
    for (let i = 0; i < all.length; i++) {
      hash = Math.imul(hash ^ all.charCodeAt(i), 0x01000193);
      hash2 = Math.imul(hash2 ^ all.charCodeAt(i), 0x5bd1e995);
    }
    lines.push(line);
    if (lines.length > 2 * KEPT_LINES) lines.splice(0, KEPT_LINES);
    onLine(line);
  };

  const next = (untilMs: number): Planned | undefined => {
    for (;;) {
      const first = queue[0];
      if (!first || first.atMs > untilMs) return undefined;
      pop(queue);
      if (first.run && first.life?.alive !== false) return first;
    }
  };

  return {
    nowMs: () => nowMs,
    stepNumber: () => steps,
    after: (delayMs, label, life, run) => {
      const planned: Planned = { atMs: nowMs + Math.max(0, delayMs), order: order++, life, label, run };
      push(queue, planned);
      return () => {
        planned.run = undefined;
      };
    },
    step: async (untilMs) => {
      const event = next(untilMs);
      if (!event?.run) {
        nowMs = Math.max(nowMs, untilMs);
        return false;
      }
      nowMs = event.atMs;
      steps++;
      note(event.label);
      event.run();
      await turn();
      return true;
    },
    note,
    lines: () => lines.slice(-KEPT_LINES),
    traceHash: () => `${(hash >>> 0).toString(16).padStart(8, '0')}${(hash2 >>> 0).toString(16).padStart(8, '0')}`,
    isIdle: (untilMs) => !queue.some((e) => e.run && e.life?.alive !== false && e.atMs <= untilMs),
  };
}

const isBefore = (a: Planned, b: Planned): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** Adds to a binary heap. */
function push(heap: Planned[], item: Planned): void {
  let at = heap.push(item) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isBefore(item, heap[parent] as Planned)) break;
    heap[at] = heap[parent] as Planned;
    at = parent;
  }
  heap[at] = item;
}

/** Takes the first of a binary heap. */
function pop(heap: Planned[]): void {
  const item = heap.pop();
  if (!item || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Planned, heap[child] as Planned)) child++;
    if (!isBefore(heap[child] as Planned, item)) break;
    heap[at] = heap[child] as Planned;
    at = child;
  }
  heap[at] = item;
}
