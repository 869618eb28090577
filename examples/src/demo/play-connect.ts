/** Scenario 3: a game keeps its own silo, unlocked by a consent sign-in; the Vault hides it, and can end it. */

import { waitFor } from './play-send.ts';
import { scanForWords } from '@sluice/testkit';
import { openAct, showNode, type Stage } from './stage.ts';

const GAME = 'Star Miner';

export async function playConnect(stage: Stage): Promise<void> {
  const { claims, person } = stage;
  openAct(
    stage,
    'Scenario 3, Silo: a game keeps its saves with the person',
    'The game asks to be let in, writes a save into a silo that the person owns, and is shown out.',
  );
  const game = await stage.app('game.example');
  const request = await game.call<string>('connect', { context: GAME });
  const shown = await person.call<{ origin: string; context: string }>('inspect', { request });
  claims.check(
    'the Vault shows who asks by the origin that its signature proves',
    shown.origin === 'https://game.example',
    `${shown.origin} asks for “${shown.context}”`,
  );
  await person.call('approve', { request });
  claims.check('the game is let in', (await game.call<string>('connected')) === 'connected', 'session open');
  await game.call('saveInSilo', {
    context: GAME,
    schema: 'game/save',
    record: { _id: 'slot-1', name: 'Slot 1', level: 7, state: { treasure: 'opal-9043-hidden' } },
  });
  const silo = await person.call<{ level: number }[]>('silo', {
    app: 'did:web:game.example',
    name: GAME,
    schema: 'game/save',
  });
  claims.check(
    'the person’s own device reads what the game saved',
    silo?.[0]?.level === 7,
    `level ${silo?.[0]?.level}`,
  );
  await showNode(stage);
  const collections = await person.call<{ name: string }[]>('collections');
  claims.check(
    'the Vault’s own records do not show the game’s',
    !collections.some((c) => c.name.includes('game')),
    `${collections.length} collections, none of the game`,
  );
  const keys = scanForWords(`${stage.directory}/apps/game.example`, ['canary-quince-7731']);
  claims.check(
    'the game’s process holds no record of the person beyond its silo',
    keys.hits.length === 0,
    `${keys.hits.length} hits in ${keys.bytes} bytes of its store`,
  );
  await person.call('revokeApp', { app: 'did:web:game.example' });
  const status = await waitFor(() => game.call<string>('sessionStatus'), 'revoked');
  const late = await game.call<string>('saveInSilo', {
    context: GAME,
    schema: 'game/save',
    record: { _id: 'slot-2', name: 'Slot 2', level: 99, state: {} },
  });
  const kept = await person.call<unknown[]>('silo', { app: 'did:web:game.example', name: GAME, schema: 'game/save' });
  claims.check(
    'a closed session can write nothing more',
    status === 'revoked' && late === 'revoked' && kept.length === 1,
    `session ${status}, ${kept.length} save in the silo`,
  );
}
