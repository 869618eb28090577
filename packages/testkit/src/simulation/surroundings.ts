/**
 * What a platform offers by itself, beside what is injected: for as long as a simulation runs, none of it leaves the one thread or is
 * left to chance, and whatever would start something in the real event loop fails instead.
 */

import { createRequire } from 'node:module';
import { type Random, systemRandom } from '@sluice/core/base';

const crypto = createRequire(import.meta.url)('node:crypto') as { verify: (...args: unknown[]) => unknown };
const nextTurn = setImmediate;

/** Resolves when all that follows from what ran before is done. */
export const turn = (): Promise<void> => new Promise((resolve) => nextTurn(resolve));

type Restore = () => void;

/** Runs `body` in these surroundings. `onError` hears what nobody caught. Not to be nested, nor run beside something else. */
export async function inSurroundings<T>(
  random: Random,
  onError: (cause: unknown) => void,
  body: () => Promise<T>,
): Promise<T> {
  const restores: Restore[] = [];
  const replace = <K extends PropertyKey>(target: object, name: K, value: unknown): void => {
    const old = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, { value, configurable: true, writable: true });
    restores.push(() => {
      if (old) Object.defineProperty(target, name, old);
      else Reflect.deleteProperty(target, name);
    });
  };

  let drawn = false;
  replace(globalThis.crypto, 'getRandomValues', <A extends Uint8Array>(array: A): A => {
    drawn = true;
    array.set(random(array.length));
    return array;
  });
  // What earlier draws left in the common pool would be bytes of another run.
  while (!drawn) systemRandom(512);

  const verify = crypto.verify;
  replace(crypto, 'verify', (...args: unknown[]) => {
    const done = args[4] as ((cause: unknown, valid: unknown) => void) | undefined;
    if (!done) return verify(...args);
    const valid = verify(...args.slice(0, 4));
    queueMicrotask(() => done(null, valid));
    return undefined;
  });
  replace(
    WebAssembly,
    'instantiate',
    async (module: WebAssembly.Module, imports?: WebAssembly.Imports) => new WebAssembly.Instance(module, imports),
  );
  for (const name of ['setTimeout', 'setInterval', 'setImmediate'] as const)
    replace(globalThis, name, () => {
      throw new Error(`${name}: nothing may use the real event loop while a simulation runs`);
    });

  for (const name of ['unhandledRejection', 'uncaughtException'] as const) {
    const before = process.listeners(name as 'uncaughtException');
    process.removeAllListeners(name);
    process.on(name, onError);
    restores.push(() => {
      process.removeAllListeners(name);
      for (const listener of before) process.on(name, listener);
    });
  }
  try {
    return await body();
  } finally {
    await turn();
    for (const restore of restores.reverse()) restore();
  }
}
