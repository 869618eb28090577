/** Secrets that cannot be printed, serialised or interpolated by accident. */

const PRINTED = '<redacted>';

/**
 * Holds a secret. Every way of printing it gives `<redacted>`; `reveal` is the one greppable way out.
 */
export class Redacted<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** Returns the secret. Call it as late and as narrowly as possible. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return PRINTED;
  }

  toJSON(): string {
    return PRINTED;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return PRINTED;
  }
}

/** Wraps a secret. */
export const redact = <T>(value: T): Redacted<T> => new Redacted(value);
