export { createProgram, run } from './main.ts';
