/** The bundled schemas: bodies, short names, validators compiled ahead of time, and the formats they check. */

import { catalog } from './generated/catalog.ts';
import { compiled } from './generated/validators.ts';

export { schemaFormats } from './formats.ts';

/** One reason why a record does not match: a JSON pointer into the record, and the rule in words. Holds no value of the record. */
export type SchemaIssue = { readonly path: string; readonly message: string };
export type SchemaBody = { readonly [key: string]: unknown };

type Validator = { (value: unknown): boolean; errors?: readonly { instancePath: string; message?: string }[] | null };

/** Schema bodies by `$id`. */
export const bundledSchemas: ReadonlyMap<string, SchemaBody> = new Map(
  catalog.map(({ body }) => [body.$id, body as SchemaBody]),
);

/** `$id` by short name, e.g. `social/contact`. */
export const bundledAliases: ReadonlyMap<string, string> = new Map(catalog.map(({ alias, body }) => [alias, body.$id]));

/** Issues reported for one record at most. */
export const MAX_ISSUES = 20;

// The compiler's output has no types of its own; each is such a function.
const validators = compiled as unknown as { readonly [id: string]: Validator };

/** Validators by `$id`. Issues name places and rules, never values of a record. */
export const bundledValidators: ReadonlyMap<string, (value: unknown) => SchemaIssue[]> = new Map(
  Object.entries(validators).map(([id, validate]) => [
    id,
    (value: unknown): SchemaIssue[] =>
      validate(value)
        ? []
        : (validate.errors ?? [])
            .slice(0, MAX_ISSUES)
            .map((e) => ({ path: e.instancePath || '/', message: e.message ?? 'is not valid' })),
  ]),
);
