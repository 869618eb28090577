/** Work on one thing that goes one after the other, while work on other things does not wait for it. */

/** Runs work when all that was given before it under the same name is done, however that ended. */
export type Turns = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** Creates turns. */
export function createTurns(): Turns {
  const ends = new Map<string, Promise<unknown>>();
  return (name, work) => {
    const turn = (ends.get(name) ?? Promise.resolve()).then(work);
    const end = turn.catch(() => undefined);
    ends.set(name, end);
    return turn.finally(() => {
      if (ends.get(name) === end) ends.delete(name);
    });
  };
}
