/** What of a record a grant reveals, in the words of ISO/IEC TS 27560: one entry for each field, or one for the whole record. */

import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.ts';

type Field = { readonly path: string; readonly optional: boolean; readonly transform?: JsonValue };

/** The `pii_information` of the terms of a grant. How sensitive a field is, nobody has said, so nothing is said of it. */
export function piiInformation(terms: JsonObject): readonly JsonObject[] {
  const fields = (Array.isArray(terms.fields) ? terms.fields : []).flatMap(fieldOf);
  const dropped = fields.filter((f) => f.transform === 'drop').map((f) => f.path);
  const named = fields.filter((f) => f.transform !== 'drop');
  const pii_type = String(terms.schema);
  if (named.length === 0) return [{ pii_type, ...without(dropped) }];
  return named.map(({ path, optional, transform }) => ({
    pii_type,
    pii_attribute_id: path,
    pii_optional: optional,
    ...(transform === undefined ? {} : { sluice_transform: transform }),
    ...without(dropped.filter((d) => d.startsWith(`${path}.`))),
  }));
}

const fieldOf = (value: JsonValue): readonly Field[] => {
  if (typeof value === 'string') return [{ path: value, optional: false }];
  if (!isJsonObject(value) || typeof value.path !== 'string') return [];
  const { path, optional, transform } = value;
  return [{ path, optional: optional === true, ...(transform === undefined ? {} : { transform }) }];
};

const without = (dropped: readonly string[]): JsonObject => (dropped.length > 0 ? { sluice_left_out: dropped } : {});
