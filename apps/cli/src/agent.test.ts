/** An always-on agent from the command line: made, let in, at work through a restart of the node, and shut out. */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from './exit-codes.ts';
import { openShell, type Running, type Shell } from './shell-fixture.ts';

const NODE = 'https://node.sluice.test';

describe('an always-on agent on the command line', () => {
  let shell: Shell;
  let node: Running;
  let did: string;
  const startNode = async (): Promise<Running> => {
    const started = shell.start(['--json', 'node', '--data', join(shell.home, 'node'), '--log-level', 'silent']);
    await started.said(/"ready":true/);
    return started;
  };

  beforeAll(async () => {
    shell = openShell();
    node = await startNode();
    did = (await shell.json<{ did: string }>(['vault', 'create', '--node', NODE])).did;
    await shell.json(['app', 'init', '--origin', 'https://clinic.example', '--node', NODE]);
    await shell.start(['--json', 'app', 'serve']).said(/"ready":true/);
  }, 60_000);
  afterAll(() => shell.close());

  it('[AGT-5] delivers what was granted, is listed, and ends when the owner shuts it out', async () => {
    const { agent, request } = await shell.json<{ agent: string; request: string }>(['agent', 'init', '--node', NODE]);
    expect((await shell.run(['agent', 'init'])).code).toBe(EXIT.refused);
    expect((await shell.run(['agent', 'status'])).out).toContain('not enrolled yet');
    const running = shell.start(['--json', 'agent', 'run']);
    await running.said(/"event":"waiting"/);
    expect((await shell.run(['vault', 'agents'])).out).toContain('sluice agent init');
    expect((await shell.run(['vault', 'agent', 'add', 'nonsense', '--types', 'note'])).code).toBe(EXIT.usage);
    expect((await shell.run(['vault', 'agent', 'add', request, '--types', 'note'])).err).toContain('Pass --yes');
    const added = await shell.json(['vault', 'agent', 'add', request, '--types', 'note', '--name', 'The box', '--yes']);
    expect(added).toMatchObject({ agent });
    await running.said(/"ready":true/);
    await running.said(/"status":"live"/);

    const asking = shell.start(['app', 'sync', did, '--schema', 'note', '--purpose', 'To follow']);
    const [, id = ''] = await asking.said(/Request (\w+); waiting/);
    const [given] = await shell.json<{ grantId: string }[]>(['vault', 'approve', id, '--yes']);
    await running.said(new RegExp(`"event":"grant","grantId":"${given?.grantId}"`));
    const grants = await shell.run(['vault', 'grants']);
    expect(grants.err).toMatch(/Always-on agent “The box”, last heard of 20.*Last brought up to date 20/s);
    asking.stop();
    await asking.ended;

    node.stop();
    await node.ended;
    await running.said(/"status":"offline"/);
    node = await startNode();
    await running.said(/"status":"offline".*"status":"live"/s);

    expect(await shell.json(['vault', 'agents'])).toMatchObject([{ id: agent, name: 'The box', status: 'active' }]);
    expect(await shell.json(['vault', 'agent', 'revoke', agent.slice(0, 6)])).toEqual({ revoked: agent });
    const ended = await running.ended;
    expect([ended.code, ended.err]).toEqual([EXIT.refused, expect.stringContaining('REVOKED')]);
    expect(await shell.json(['vault', 'agents'])).toMatchObject([{ status: 'revoked' }]);
    expect((await shell.run(['vault', 'grants'])).err).toContain('No always-on agent: grants are live only');
  }, 60_000);
});
