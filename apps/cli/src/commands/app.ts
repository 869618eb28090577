/** `sluice app ...`: an application's account, and its side of every scenario. */

import type { Command } from 'commander';
import type { Settings } from '../settings.ts';
import { addAppConnect } from './app-connect.ts';
import { addAppLife } from './app-life.ts';
import { addAppMessages } from './app-messages.ts';
import { addAppSync } from './app-sync.ts';
import { addAppWrite } from './app-write.ts';

/** Adds them in the order in which help lists them. */
export function addAppCommands(app: Command, settings: () => Settings): void {
  for (const add of [addAppLife, addAppConnect, addAppMessages, addAppSync, addAppWrite]) add(app, settings);
}
