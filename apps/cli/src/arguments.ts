/** What people type: ids by their beginning, JSON, whole numbers, lists. */

import { readFileSync } from 'node:fs';
import { isJsonObject, type JsonObject } from '@sluice/core/base';
import { SluiceError } from '@sluice/client';
import { parseInstant } from '@sluice/core/filter';
import { type Command, InvalidArgumentError } from 'commander';
import { UsageError } from './exit-codes.ts';
import type { Io } from './io.ts';
import { short } from './output.ts';

/** Letters that name an id by its beginning, at least. */
const LEAST = 4;

/** The id that was meant: itself, or the only one that begins so. Undefined when there is none. */
export function findId(ids: readonly string[], given: string): string | undefined {
  if (ids.includes(given)) return given;
  const found = given.length < LEAST ? [] : [...new Set(ids)].filter((id) => id.startsWith(given));
  if (found.length > 1)
    throw new UsageError(`${given} is the beginning of several: ${found.map((id) => id.slice(0, 20)).join(', ')}`);
  return found[0];
}

/** The same, and an error with advice when there is none. */
export function needId(ids: readonly string[], given: string, what: string, advice: string): string {
  const id = findId(ids, given);
  if (id === undefined) throw new SluiceError('NOT_FOUND', `There is no ${what} ${short(given)}. ${advice}`);
  return id;
}

/** A JSON object of an option or a file. */
export function jsonObject(text: string | undefined, what: string): JsonObject {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UsageError(`${what} is not JSON. In a shell, put it in single quotes: '{"status":"final"}'.`);
  }
  if (!isJsonObject(value as JsonObject)) throw new UsageError(`${what} is not a JSON object.`);
  return value as JsonObject;
}

/** The text of a file, or of the input for `-`. */
export const readText = (io: Io, file: string): string => (file === '-' ? io.input() : readFileSync(file, 'utf8'));

/** A whole number of an option, at least `least`. */
export const whole =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || !Number.isSafeInteger(value))
      throw new InvalidArgumentError(`It is a whole number from ${least} on.`);
    return value;
  };

/** A date or an instant of an option, in ms; of a date its first or its last instant in UTC. */
export const instant =
  (edge: 'start' | 'end') =>
  (text: string): number => {
    const ms = parseInstant(text, 'date-time');
    if (ms === undefined)
      throw new InvalidArgumentError('It is a date like 2026-03-31 or an instant like 2026-03-31T12:00:00Z.');
    return edge === 'end' && /^\d{4}-\d{2}-\d{2}$/.test(text) ? ms + 86_399_999 : ms;
  };

/** Names separated by commas. */
export const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((f) => f.trim())
    .filter((f) => f !== '');

/** Adds examples to a command's help. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map((l) => `  sluice ${l}`).join('\n')}`);
}
