import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pullImage } from '@headgate/rollout/local';
import { type RunningServer, startRegistry } from '@headgate/rollout/servers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { anImage } from '../image/built.rig.ts';
import { imageExists, nameImage, type Pinned, pushImage, resolveTag } from './client.ts';
import { startTokenService, type TokenService } from './token-service.rig.ts';

const signal = AbortSignal.timeout(60_000);
const secret = 'correct horse 4711';
const base64 = (text: string) => Buffer.from(text).toString('base64');
const sets = [
  'HEADGATE_REGISTRY',
  'HEADGATE_REGISTRY_USER',
  'HEADGATE_REGISTRY_TOKEN',
  'DOCKER_CONFIG',
  'HOME',
  'PATH',
];
const original = Object.fromEntries(sets.map((name) => [name, process.env[name]]));

let folder: string;
let number = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-login-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(() => {
  for (const [name, value] of Object.entries(original))
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
});

/** Nobody's home, so that what this machine has of its own is not seen. */
function beNobody(): void {
  for (const name of sets.slice(0, 4)) delete process.env[name];
  process.env['HOME'] = join(folder, 'nobody');
}

function be(user: string, registry: string, password = secret): void {
  beNobody();
  Object.assign(process.env, {
    HEADGATE_REGISTRY: registry,
    HEADGATE_REGISTRY_USER: user,
    HEADGATE_REGISTRY_TOKEN: password,
  });
}

async function beByDocker(config: unknown): Promise<void> {
  beNobody();
  const own = join(folder, `docker-${number++}`);
  await mkdir(own);
  await writeFile(join(own, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  process.env['DOCKER_CONFIG'] = own;
}

const push = async (repository: string, mountFrom?: string): Promise<Pinned> =>
  pushImage((await anImage(folder, signal)).layout, { repository, mountFrom }, signal);

describe('a registry with passwords (Basic)', () => {
  let registry: RunningServer;
  let host: string;
  beforeAll(async () => {
    const path = join(folder, 'htpasswd');
    // htpasswd -Bbn kim <secret>
    await writeFile(path, 'kim:$2y$05$0qq7q6ysr/D89iYz33c0Ze0eOX/Jbk8aYJMR4pQGbY1oRoyfO4jb2\n');
    registry = await startRegistry({ folder: join(folder, 'basic'), auth: { htpasswd: { realm: 'test', path } } });
    host = new URL(registry.url).host;
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
  });

  test('takes an image of whoever HEADGATE_REGISTRY_USER and HEADGATE_REGISTRY_TOKEN name, and gives it to a lane', async () => {
    be('kim', `${host}/app`);

    const pinned = await push(`${host}/app/a`);

    expect(await imageExists(pinned, signal)).toBe(true);
    const { root } = await pullImage(`${pinned.repository}@${pinned.digest}`, join(folder, 'images'), signal);
    expect(root).toContain(pinned.digest.slice(7));
  });

  test("takes one of whoever `docker login` has left in config.json, of a helper's too", async () => {
    await beByDocker({ auths: { [`https://${host}/v1/`]: { auth: base64(`kim:${secret}`) } } });
    await push(`${host}/docker/a`);

    const bin = join(folder, 'bin');
    await mkdir(bin);
    const answer = JSON.stringify({ ServerURL: host, Username: 'kim', Secret: secret });
    const helper = `#!/bin/sh\nread asked; [ "$1 $asked" = "get ${host}" ] && echo '${answer}'\n`;
    await writeFile(join(bin, 'docker-credential-test'), helper);
    await chmod(join(bin, 'docker-credential-test'), 0o755);
    await beByDocker({ credHelpers: { [host]: 'test' } });
    process.env['PATH'] = `${bin}${delimiter}${process.env['PATH']}`;
    const pinned = await push(`${host}/docker/b`);

    expect(await imageExists(pinned, signal)).toBe(true);
  });

  test.each([
    { who: 'nobody', set: async () => beNobody(), hint: 'set HEADGATE_REGISTRY_USER and HEADGATE_REGISTRY_TOKEN' },
    { who: 'a wrong password', set: async () => be('kim', `${host}/x`, 'a wrong one'), hint: 'give "kim"' },
    {
      // A secret that is for one registry is told to no other.
      who: 'a login for another host',
      set: async () => be('kim', `registry.example/x`),
      hint: 'no login is known',
    },
  ])('refuses $who, and the error says where, who and what to set, without the password', async ({ set, hint }) => {
    await set();
    const repository = `${host}/refused/${number++}`;

    const error = await push(repository).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );

    expect(error).toMatchObject({
      code: 'REGISTRY_REFUSED',
      message: expect.stringContaining(repository),
      hint: expect.stringContaining(hint),
    });
    const pulling = pullImage(`${repository}@sha256:${'0'.repeat(64)}`, join(folder, 'images'), signal);
    await expect(pulling).rejects.toMatchObject({ code: 'REGISTRY_REFUSED', hint: expect.stringContaining(hint) });
  });

  test.each([
    { what: 'a file that is no JSON', config: `{"auths": "${secret}`, says: 'config.json' },
    {
      what: 'a helper that is not there',
      config: { credsStore: 'none-of-that' },
      says: 'docker-credential-none-of-that',
    },
  ])('$what is named, and nothing of what it holds', async ({ config, says }) => {
    await beByDocker(config);

    const error = await push(`${host}/broken/${number++}`).then(
      () => undefined,
      (thrown: unknown) => thrown as Error,
    );

    expect(error).toMatchObject({ code: 'USAGE', message: expect.stringContaining(says) });
    expect(`${error?.message} ${error?.stack} ${JSON.stringify(error)}`).not.toContain(secret);
  });
});

describe('a registry with a token service (Bearer)', () => {
  const may = (...names: string[]) => Object.fromEntries(names.map((name) => [name, ['pull', 'push']]));
  let service: TokenService;
  let registry: RunningServer;
  let host: string;
  beforeAll(async () => {
    service = await startTokenService(folder, {
      kim: { secret, may: may('app/one', 'app/two', 'app/named', 'app/short') },
      lee: { secret, may: may('lee/own') },
      '': { secret: '', may: { 'app/one': ['pull'] } },
    });
    registry = await startRegistry({ folder: join(folder, 'bearer'), auth: service.auth });
    host = new URL(registry.url).host;
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    await service[Symbol.asyncDispose]();
  });

  test('gives one token for each thing that is wanted, and it is used again until it expires', async () => {
    be('kim', `${host}/app`);
    await push(`${host}/app/one`);
    await push(`${host}/app/one`);

    expect(service.given).toEqual(['kim app/one:pull', 'kim app/one:pull,push']);
  });

  test('lets a layer be mounted for whoever may read where it lies; for others it is sent', async () => {
    be('kim', `${host}/app`);
    service.given.length = 0;
    await push(`${host}/app/two`, `${host}/app/one`);
    expect(service.given).toContain('kim app/two:pull,push app/one:pull');

    be('lee', `${host}/lee`);
    const pinned = await push(`${host}/lee/own`, `${host}/app/two`);

    expect(service.given).toContain('lee lee/own:pull,push app/two:');
    expect(await imageExists(pinned, signal)).toBe(true);
  });

  test('gives an image a name in another repository by one token for both', async () => {
    be('kim', `${host}/app`);
    const pinned = await push(`${host}/app/one`);

    const named = await nameImage(pinned, { repository: `${host}/app/named`, tag: 'now' }, signal);

    expect(await resolveTag(named.repository, 'now', signal)).toBe(pinned.digest);
  });

  test('is asked for another token when the last one has expired', async () => {
    be('kim', `${host}/app`);
    service.lifetimeSeconds = 5; // As long as the margin: expired at once.
    service.given.length = 0;
    const pinned = await push(`${host}/app/short`);
    const before = service.given.length;
    service.lifetimeSeconds = 300;

    expect(await imageExists(pinned, signal)).toBe(true);
    expect(service.given.length).toBe(before + 1);
  });

  test('lets everybody read what everybody may, and the refusal of the rest names repository and cure', async () => {
    be('kim', `${host}/app`);
    const pinned = await push(`${host}/app/one`);
    beNobody();

    await pullImage(`${pinned.repository}@${pinned.digest}`, join(folder, 'images-of-nobody'), signal);

    be('lee', `${host}/lee`);
    await expect(push(`${host}/nobodys/own`)).rejects.toMatchObject({
      code: 'REGISTRY_REFUSED',
      message: expect.stringContaining(`${host}/nobodys/own`),
      hint: expect.stringContaining('give "lee" (of HEADGATE_REGISTRY_USER) the right'),
    });
    be('lee', `${host}/lee`, 'a wrong one');
    await expect(push(`${host}/nobodys/other`)).rejects.toMatchObject({
      code: 'REGISTRY_REFUSED',
      message: expect.stringContaining('nobodys/other'),
    });
  });
});
