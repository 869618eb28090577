/** The terms of a grant in the few words that fit in a table. */

import { type FieldTerm, type GrantDuration, isOptional, pathOf, transformOf } from '@sluice/core/grant';
import { seconds } from './output.ts';

/** `once`, `standing`, or the instant at which the grant ends. */
export const durationWords = (duration: GrantDuration): string =>
  typeof duration === 'object' ? `until ${seconds(duration.until)}` : duration;

/** The fields as the options name them: `a`, `b=year`, `c=round:10`, `d?` for one that may be left away. */
export const fieldWords = (fields: readonly FieldTerm[] | 'all'): string => {
  if (fields === 'all') return fields;
  return fields
    .map((term) => {
      const transform = transformOf(term);
      const how = typeof transform === 'object' ? `round:${transform.round}` : transform;
      return `${pathOf(term)}${how ? `=${how}` : ''}${isOptional(term) ? '?' : ''}`;
    })
    .join(',');
};
