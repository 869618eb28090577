/** The sealed plaintext of an own entry. */

import { bytesToUtf8, utf8ToBytes } from '../base/bytes.ts';
import { isJsonObject, type JsonValue, parseJson } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import { compareStamps, type Stamp } from './stamp.ts';
import type { RecordState } from './state.ts';

const same = (a: Stamp, b: Stamp): boolean => compareStamps(a, b) === 0;

export function encodeBody(s: RecordState, header: Stamp): Uint8Array {
  const stamps = s.stamps.map((t) => (same(t, header) ? 0 : [t.ms, t.counter, t.writer]));
  const value: Record<string, unknown> = { v: 1, i: s.id, f: s.fields, a: s.insertedAt, m: s.merges, t: stamps };
  if (s.schema !== undefined) value.s = s.schema;
  if (Object.keys(s.stampOf).length > 0) value.o = s.stampOf;
  if (s.removed.length > 0) value.r = s.removed;
  if (s.deleted !== undefined) value.d = s.deleted;
  return utf8ToBytes(JSON.stringify(value));
}

export function decodeBody(bytes: Uint8Array, header: Stamp): Result<RecordState, { readonly type: 'malformed' }> {
  let text: string;
  try {
    text = bytesToUtf8(bytes);
  } catch {
    return err({ type: 'malformed' });
  }
  const parsed = parseJson(text, { maxBytes: 1024 * 1024, maxDepth: 64 });
  if (!parsed.ok || !isJsonObject(parsed.value) || parsed.value.v !== 1) return err({ type: 'malformed' });
  const { i, f, a, m, t, s, o, r, d } = parsed.value;
  if (typeof i !== 'string' || !isJsonObject(f) || typeof a !== 'number' || typeof m !== 'number' || !Array.isArray(t))
    return err({ type: 'malformed' });
  const stamps = (t as readonly JsonValue[]).map(
    (x): Stamp =>
      x === 0
        ? header
        : {
            ms: Number((x as JsonValue[])[0]),
            counter: Number((x as JsonValue[])[1]),
            writer: String((x as JsonValue[])[2]),
          },
  );
  return ok({
    id: i,
    fields: f,
    insertedAt: a,
    merges: m,
    stamps,
    stampOf: (o ?? {}) as { readonly [name: string]: number },
    removed: (r ?? []) as readonly string[],
    ...(typeof s === 'string' ? { schema: s } : {}),
    ...(typeof d === 'number' ? { deleted: d } : {}),
  });
}
