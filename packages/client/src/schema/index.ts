import type { JsonObject, Result } from '@sluice/core/base';
import type { FieldFormats } from '@sluice/core/filter';
export type SchemaIssue = { readonly path: string; readonly message: string };
export type LoadedSchema = { readonly id: string; readonly hash: string; readonly body: JsonObject; readonly title: string; readonly titlePlural?: string; readonly databaseName: string; readonly indexes: readonly { readonly name: string; readonly fields: readonly string[] }[]; readonly formats: FieldFormats; readonly merges: ReadonlyMap<string, 'lww' | 'set'>; readonly validate: (r: unknown) => SchemaIssue[] };
export type SchemaLoader = { readonly load: (uri: string) => Promise<Result<LoadedSchema, { readonly type: string }>> };
const registered = new Map<string, LoadedSchema>();
export const registerForTests = (s: LoadedSchema): void => { registered.set(s.id, s); };
export const createSchemaLoader = (_deps: object): SchemaLoader => ({ load: async (uri) => { const s = registered.get(uri); return s ? { ok: true, value: s } : { ok: false, error: { type: 'not-found' } }; } });
