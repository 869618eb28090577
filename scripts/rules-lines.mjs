/** Lines of the table of rules that are alike: several rules of one file, seen by the same tests. */

/**
 * @typedef {{ readonly rule: string, readonly says: string, readonly find: string, readonly replace: string, readonly tests?: readonly string[], readonly named?: string }} Line
 * @param {string} file
 * @param {readonly string[]} tests
 * @param {readonly Line[]} lines `tests` and `named` of a line go before those of all.
 * @returns {readonly import('./rules-table.mjs').Rule[]}
 */
export const rulesIn = (file, tests, lines) =>
  lines.map(({ rule, says, find, replace, tests: own, named }) => ({
    rule,
    says,
    changes: [{ file, find, replace }],
    tests: own ?? tests,
    ...(named === undefined ? {} : { named }),
  }));
