/** Finds what stands at a path of a record: of a list that the path leads through, every item counts. */

import { isJsonObject, type JsonValue } from '../base/json.ts';

/** Calls `visit` with each value at a path, from its `step` on. */
export function valuesAt(
  value: JsonValue,
  path: readonly string[],
  step: number,
  visit: (item: JsonValue) => void,
): void {
  if (Array.isArray(value)) {
    for (const item of value as readonly JsonValue[]) valuesAt(item, path, step, visit);
    return;
  }
  if (step === path.length) return visit(value);
  const name = path[step] as string;
  if (isJsonObject(value) && Object.hasOwn(value, name)) valuesAt(value[name] as JsonValue, path, step + 1, visit);
}
