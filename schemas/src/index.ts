/** The bundled schemas: bodies, short names, and validators compiled ahead of time. */

import { catalog } from './generated/catalog.ts';
import { compiled } from './generated/validators.ts';

export type SchemaIssue = { readonly path: string; readonly message: string };
export type SchemaBody = { readonly [key: string]: unknown };

type Validator = { (value: unknown): boolean; errors?: readonly { instancePath: string; message?: string }[] | null };

/** Schema bodies by `$id`. */
export const bundledSchemas: ReadonlyMap<string, SchemaBody> = new Map(
  catalog.map(({ body }) => [body.$id, body as SchemaBody]),
);

/** `$id` by short name, e.g. `social/contact`. */
export const bundledAliases: ReadonlyMap<string, string> = new Map(catalog.map(({ alias, body }) => [alias, body.$id]));

const MAX_ISSUES = 20;

/** Validators by `$id`. Issues name places and rules, never values of a record. */
export const bundledValidators: ReadonlyMap<string, (value: unknown) => SchemaIssue[]> = new Map(
  Object.entries(compiled as unknown as Record<string, Validator>).map(([id, validate]) => [
    id,
    (value: unknown): SchemaIssue[] =>
      validate(value)
        ? []
        : (validate.errors ?? [])
            .slice(0, MAX_ISSUES)
            .map((e) => ({ path: e.instancePath || '/', message: e.message ?? 'is not valid' })),
  ]),
);
