/** Filters over records of one schema: a collection may hold several versions of it. */

import { allOf, type Filter, parseFilter } from '@sluice/core/filter';
import type { LoadedSchema } from './loaded-schema.ts';

/** Adds that a record is of this schema. The filter keeps all the room that its own limits give it. */
export function inSchema(schema: Pick<LoadedSchema, 'id'>, filter: Filter): Filter {
  const own = parseFilter({ schema: schema.id });
  if (!own.ok) throw new TypeError('the id of a schema is over the limits of a filter');
  return allOf(own.value, filter);
}
