/** Rules of narrowing: an owner gives less than was asked, and never more, and is told what that is. */

import { rulesIn } from './rules-lines.mjs';

const GRANT = 'packages/core/src/grant';
const PROPERTIES = [`${GRANT}/narrowed-terms.prop.test.ts`, 'packages/client/src/sharing/narrowing.test.ts'];

/** @type {readonly import('./rules-table.mjs').Rule[]} */
export const NARROWING_RULES = [
  ...rulesIn(`${GRANT}/narrowed-terms.ts`, PROPERTIES, [
    {
      rule: 'narrowed schema',
      says: 'a grant is of the schema that was asked',
      find: 'if (asked.schema !== given.schema || asked.schemaHash !== given.schemaHash)',
      replace: 'if (!asked)',
    },
    {
      rule: 'narrowed access',
      says: 'a grant gives the access that was asked',
      find: "if (asked.access !== given.access) return isAnother('access', asked.access, given.access);",
      replace: '',
    },
    {
      rule: 'narrowed retention',
      says: 'a grantee keeps its copy no longer than was asked',
      find: "if (asked.retention !== given.retention) return isAnother('retention', asked.retention, given.retention);",
      replace: '',
    },
    {
      rule: 'narrowed frequency',
      says: 'a grant comes as often as was asked',
      find: "if (asked.frequency !== given.frequency) return isAnother('frequency', asked.frequency, given.frequency);",
      replace: '',
    },
    {
      rule: 'narrowed filter',
      says: 'a grant reveals no record that was not asked',
      find: 'wrongFilter(asked.filter, given.filter) ??',
      replace: '',
    },
    {
      rule: 'narrowed fields',
      says: 'a grant reveals no field that was not asked',
      find: 'wrongFields(asked.fields ?? [], given.fields ?? []) ??',
      replace: '',
    },
    {
      rule: 'narrowed transform',
      says: 'a field that was asked changed is given so or not at all',
      find: 'if (path !== pathOf(other) || !sameTransform(other, term)) return anotherForm(other);',
      replace: '',
    },
    {
      rule: 'required fields',
      says: 'a required field is given, or the request is declined',
      find: 'const missing = shown.find((term) => !isOptional(term) && !isWhole(term, asked, given));',
      replace: 'const missing = undefined as FieldTerm | undefined;\n  void [isOptional, isWhole];',
    },
    {
      rule: 'narrowed duration',
      says: 'a grant lasts no longer than was asked',
      find: 'wrongDuration(asked.duration, given.duration) ??',
      replace: '',
    },
    {
      rule: 'narrowed operations',
      says: 'a grant lets do nothing that was not asked',
      find: 'const operation = given.operations.find((o) => !asked.operations.includes(o));',
      replace: 'const operation = undefined;',
    },
    {
      rule: 'narrowed fields to write',
      says: 'a grant lets set no field that was not asked',
      find: 'const field = given.fields?.find((f) => asked.fields && !asked.fields.includes(f));',
      replace: 'const field = undefined;',
    },
    {
      rule: 'all fields to write',
      says: 'a grant for some fields never becomes one for all',
      find: 'if (asked.fields && !given.fields) return',
      replace: 'if (asked.fields && !given) return',
    },
    {
      rule: 'narrowed policy',
      says: 'what was asked as proposals is not let through by itself',
      find: "if (asked.policy === 'propose' && given.policy === 'auto')",
      replace: 'if (!asked.policy)',
    },
    {
      rule: 'narrowed quota',
      says: 'a grant takes no more writes a day than was asked',
      find: 'return given.perDay > asked.perDay',
      replace: 'return given.perDay < 0',
    },
  ]),
  ...rulesIn(
    'packages/core/src/filter/describe.ts',
    ['packages/core/src/filter/filter.test.ts'],
    [
      {
        rule: 'words of lists',
        says: 'a sentence says of a list that one item is enough',
        find: 'return isOne ? node : undefined;',
        replace: 'return isOne && !node ? node : undefined;',
        named: '[FIL-16]',
      },
    ],
  ),
  ...rulesIn(
    'packages/client/src/sharing/preview.ts',
    ['packages/testkit/src/sharing/preview.test.ts'],
    [
      {
        rule: 'warnings of lists',
        says: 'who narrows by what a list must not hold is told that one other item is enough',
        find: '    ...negations,\n',
        replace: '',
        named: '[FIL-16]',
      },
    ],
  ),
];
