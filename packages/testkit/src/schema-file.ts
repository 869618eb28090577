/** Schemas that tests write, as files that an application names by their URI. */

import type { JsonObject } from '@sluice/core/base';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Writes `NAME.json` into a folder and returns its URI. */
export function writeSchema(directory: string, name: string, body: JsonObject): string {
  const file = join(directory, `${name}.json`);
  const full = { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object', ...body };
  writeFileSync(file, JSON.stringify(full));
  return pathToFileURL(file).href;
}

/** Writes the schema of boats: their `name`, and what else a test says of them. Returns its URI. */
export function writeBoatSchema(directory: string, properties: JsonObject): string {
  return writeSchema(directory, 'boat', {
    $id: 'https://harbour.example/boat/schema.json',
    title: 'Boat',
    database: { name: 'boats' },
    properties: { name: { type: 'string' }, ...properties },
    required: ['name'],
  });
}
