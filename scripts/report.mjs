/** How every check ends: its problems one per line, then one line of counts, and the exit code. */

/**
 * Prints the problems and the summary; the process exits 1 when there is a problem.
 *
 * @param {string} name the check, as in `spec`
 * @param {readonly string[]} problems one line each, starting with `file:line` where there is one
 * @param {string} summary what was looked at, with counts
 */
export function report(name, problems, summary) {
  for (const problem of problems) console.error(problem);
  console.log(`${name}: ${summary}, ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`);
  if (problems.length > 0) process.exitCode = 1;
}
