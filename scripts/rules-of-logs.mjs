/** Rules of what is stored, and read in order: numbers and pages, commits, what is deleted, and the nonces of what is sealed. */

import { rulesIn } from './rules-lines.mjs';

const NODE = 'packages/node/src/storage/sqlite';
const STORED = [`${NODE}/sqlite-storage.test.ts`];

/** @type {readonly import('./rules-table.mjs').Rule[]} */
export const LOG_RULES = [
  ...rulesIn(`${NODE}/read-page.ts`, STORED, [
    {
      rule: 'cursor of a page',
      says: 'the cursor of a page is where the page ends, not where the log does',
      find: 'const cursor = more ? (entries.at(-1)?.seq ?? query.after) : Math.max(log.head, query.after);',
      replace: 'const cursor = Math.max(log.head, query.after);',
      named: '[PULL-1]',
    },
    {
      rule: 'cursor of sealed pages',
      says: 'the cursor of a page of seals is where the page ends, not where the log does',
      find: 'const cursor = more ? (rows.at(-1)?.lastSeq ?? query.after) : Math.max(log.head, query.after);',
      replace: 'const cursor = Math.max(log.head, query.after);',
      named: '[PULL-1]',
    },
  ]),
  ...rulesIn(`${NODE}/sqlite-storage.ts`, STORED, [
    {
      rule: 'news after the commit',
      says: 'nobody is told of numbers that are not committed',
      find: '    touched.push(...mine);\n',
      replace: '    for (const listener of listeners) listener(mine);\n',
      named: '[PUSH-8]',
    },
    {
      rule: 'rows of a rollback',
      says: 'a row that was rolled back opens nothing',
      find: '    onRolledBack: () => {\n      staged.clear();\n',
      replace: '    onRolledBack: () => {\n',
      named: '[PUSH-8]',
    },
  ]),
  ...rulesIn(`${NODE}/inbox.ts`, STORED, [
    {
      rule: 'drained messages',
      says: 'the node remembers a drained message for as long as it could come again',
      find: 'nowMs + DRAINED_KEEP_MS,',
      replace: 'nowMs - DRAINED_KEEP_MS,',
      named: '[PUSH-7]',
    },
  ]),
  ...rulesIn(
    'packages/client/src/store/collection.ts',
    ['packages/testkit/src/proof/long-away.test.ts'],
    [
      {
        rule: 'deletes stay',
        says: 'no clock forgets that a record was deleted',
        find: '    const heads = store.heads(rowOf(), tag);\n',
        replace:
          '    const youngMs = clock.nowMs() - 90 * 86_400_000;\n    const heads = store.heads(rowOf(), tag).filter(({ header: h }) => h.kind !== ENTRY_KIND.DEL || h.hlc.ms > youngMs);\n',
        named: '[REC-9]',
      },
    ],
  ),
  ...rulesIn(
    'packages/client/src/space/space-engine.ts',
    ['packages/testkit/src/faults/full-client.test.ts'],
    [
      {
        rule: 'sent before committed',
        says: 'a push begins after the transaction that asks for it',
        find: 'queueMicrotask(() => void pump());',
        replace: 'void pump();',
        named: '[FLT-4]',
      },
    ],
  ),
  ...rulesIn(
    'packages/client/src/batches.ts',
    ['packages/testkit/src/client/large-saves.test.ts'],
    [
      {
        rule: 'large saves',
        says: 'what is saved at once goes under as many seals as pushes take',
        find: ' && size <= BATCH_BYTES) last.push(item);',
        replace: ') last.push(item);',
      },
    ],
  ),
  ...rulesIn(
    'packages/core/src/crypto/aead.ts',
    ['packages/core/src/crypto/aead.test.ts'],
    [
      {
        rule: 'counter nonces',
        says: 'a nonce is random, and no counter that a restart could begin again',
        find: 'const nonce = random(NONCE_BYTES);',
        replace:
          'const counted = sealAead as unknown as { count?: number };\n  counted.count = (counted.count ?? 0) + 1;\n  const nonce = random(NONCE_BYTES).fill(0);\n  nonce[0] = counted.count;',
        named: '[CRY-3]',
      },
    ],
  ),
];
