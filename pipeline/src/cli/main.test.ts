import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { subcommands } from './main.ts';
import { aShell } from './shell.rig.ts';

const good = readFileSync(join(import.meta.dirname, '../../../headgate.yaml'), 'utf8');

describe('main()', () => {
  test('--help lists every command and exits 0', async () => {
    await using shell = await aShell();

    const { code, out } = await shell.run('--help');

    expect(code).toBe(0);
    for (const name of Object.keys(subcommands)) expect(out).toContain(`  ${name.padEnd(10)} `);
  });

  test.each(['--version', '-V'])('%s says which Headgate this is', async (flag) => {
    await using shell = await aShell();

    expect(await shell.run(flag)).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  test.each(Object.keys(subcommands))('%s --help says what it does and exits 0', async (name) => {
    await using shell = await aShell();

    const { code, out } = await shell.run(name, '--help');

    expect(code).toBe(0);
    expect(out).toContain(`headgate ${name}`);
  });

  test.each([
    { args: ['relase'], says: 'there is no such command' },
    { args: ['status', '--wotch'], says: "Unknown option '--wotch'" },
    { args: ['status', 'now'], says: 'it takes 0 words after its name: current value is "now"' },
    { args: ['status'], says: 'there is no file' },
    { args: ['cluster', 'sideways'], says: 'must be one of up, start, info, logs, stop, down' },
    { args: [], says: '' },
  ])('main($args) exits 64 and says why', async ({ args, says }) => {
    await using shell = await aShell();

    const { code, err } = await shell.run(...args);

    expect(code).toBe(64);
    expect(err).toContain(says);
  });

  test.each([
    { args: ['wait', '--for', 'rain'], says: '--for must be one of promoted, ended, ready: current value is "rain"' },
    { args: ['wait', '--timeout', 'soon'], says: '--timeout must be seconds above 0: current value is "soon"' },
    { args: ['roll'], says: 'as its headgate.yaml names no cluster' },
    { args: ['forward', 'sideways'], says: 'must be one of gateway, metrics' },
    { args: ['forward', 'gateway', '--port', 'eighty'], says: 'up to 65535: current value is "eighty"' },
    { args: ['forward', 'metrics'], says: 'as its headgate.yaml names no cluster' },
    { args: ['deploy', 'sideways'], says: 'must be one of queue, gateway, infra, frontend, or infra and a name' },
    { args: ['deploy', 'queue', 'all'], says: 'current value is "queue all"' },
    { args: ['deploy', 'infra'], says: 'as its headgate.yaml names no cluster' },
    { args: ['env', '--from', 'cluster'], says: 'as its headgate.yaml names no cluster' },
    { args: ['env', '--from', 'rain'], says: '--from must be one of cluster: current value is "rain"' },
    { args: ['release', 'rating'], says: 'an image is written <service>=' },
    { args: ['pin', 'X-Variant=b'], says: '--to must be live, candidate or a revision: current value is ""' },
    { args: ['pin', 'X-Variant=b', '--to', 'green'], says: 'current value is "green"' },
    { args: ['pin', 'X-Variant', '--to', 'live'], says: 'a header such as X-Variant=b' },
    { args: ['unpin', 'cookie', 'variant'], says: 'current value is "cookie variant"' },
  ])('main($args) exits 64 before anything is started', async ({ args, says }) => {
    await using shell = await aShell({ 'headgate.yaml': good });

    const { code, err } = await shell.run(...args);

    expect(code).toBe(64);
    expect(err).toContain(says);
    expect(existsSync(join(shell.cwd, '.headgate'))).toBe(false);
  });

  test('forward metrics exits 64 where headgate.yaml names no port of them', async () => {
    const traffic = '{ gateway-api: { route: ratings }, replicas: { service: gateway } }';
    await using shell = await aShell({
      'headgate.yaml': `${good}kubernetes: { namespace: ratings, traffic: ${traffic} }\n`,
    });

    const { code, err } = await shell.run('forward', 'metrics');

    expect(code).toBe(64);
    expect(err).toContain('as its headgate.yaml names no port of them');
  });

  test('release refuses an image by tag with 12', async () => {
    await using shell = await aShell({ 'headgate.yaml': good });

    const { code, err } = await shell.run('release', 'rating=registry:5000/ratings/rating:latest');

    expect(code).toBe(12);
    expect(err).toContain('must be pinned by digest: current value is "registry:5000/ratings/rating:latest"');
  });

  test('a wrong headgate.yaml gets all its mistakes at once', async () => {
    const wrong = good
      .replace('5%, 25%, 50%', '5%, 50%, 25%')
      .replace('bake: 3m', 'bake: 3 minutes')
      .replace('replicas: 2', 'replica: 2');
    await using shell = await aShell({ 'headgate.yaml': wrong });

    const { code, err } = await shell.run('config', 'show');

    expect(code).toBe(64);
    expect(err).toContain('headgate.yaml:6:');
    expect(err.match(/headgate\.yaml:\d+:\d+/g)?.length).toBeGreaterThanOrEqual(3);
  });

  test('status of an app that was never released exits 0 and starts nothing', async () => {
    await using shell = await aShell({ 'headgate.yaml': good });

    const { code, out } = await shell.run('status');

    expect(code).toBe(0);
    expect(out).toBe('ratings · nothing has been released yet\n');
    expect(readdirSync(shell.cwd)).toEqual(['headgate.yaml']);
  });

  test.each(['history', 'why'])('%s of an app that was never released says so', async (name) => {
    await using shell = await aShell({ 'headgate.yaml': good });

    const { out, err } = await shell.run(name);

    expect(out + err).toMatch(/nothing has been released yet|keeps no decision/);
  });
});
