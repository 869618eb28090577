#!/usr/bin/env node
import { run } from '../dist/main.js';

const INTERRUPTED = 130;

process.exitCode = await run(process.argv);
// All is closed and kept; whoever pressed Ctrl-C does not wait for a long poll that is still under way.
if (process.exitCode === INTERRUPTED) process.exit();
