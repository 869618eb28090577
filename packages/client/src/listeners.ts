/** Those who want to hear of something. Must not know what. */

/** Adds to a set; returns how to take it out again. */
export function addListener<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
