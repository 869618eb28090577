/** Those who want to hear of something. Must not know what. */

/** Tells a listener of somebody else's; what it throws is its own bug and stops nobody else. */
export function tell<T>(listener: (value: T) => void, value: T): void {
  try {
    listener(value);
  } catch (cause) {
    queueMicrotask(() => {
      throw cause;
    });
  }
}

/** Adds to a set; returns how to take it out again. */
export function addListener<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
