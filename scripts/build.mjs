/** `npm run build`: compiles schemas, then every package. Arguments go to the compiler (`npm run build -- --force`). */

import { BUILD, runStage } from './stages.mjs';

for (const stage of BUILD) {
  const isCompiler = stage.name === 'build';
  const command = isCompiler ? [...stage.command, ...process.argv.slice(2)] : stage.command;
  if (!runStage({ ...stage, command })) process.exit(1);
}
