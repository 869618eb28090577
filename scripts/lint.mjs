/** `npm run lint`: every check, all of them even when one fails. */

import { CHECKS, runStage } from './stages.mjs';

const failed = CHECKS.filter((check) => !runStage(check));
console.log(
  failed.length === 0
    ? `\nall ${CHECKS.length} checks ok`
    : `\nfailed: ${failed.map((check) => check.name).join(', ')}`,
);
if (failed.length > 0) process.exitCode = 1;
