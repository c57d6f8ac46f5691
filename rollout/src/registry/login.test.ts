import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { loginFor } from './login.ts';

const signal = AbortSignal.timeout(10_000);
const nobody = { HOME: '/nowhere' };
const actions = { ...nobody, GITHUB_ACTIONS: 'true', GITHUB_TOKEN: 'of the job', GITHUB_ACTOR: 'kim' };

test("loginFor() takes the job's token for ghcr.io, in GitHub Actions and nowhere else", async () => {
  expect(await loginFor('ghcr.io', actions, signal)).toMatchObject({ user: 'kim', secret: 'of the job' });

  expect(await loginFor('registry.example', actions, signal)).toBeUndefined();
  expect(await loginFor('ghcr.io.example', actions, signal)).toBeUndefined();
  expect(await loginFor('ghcr.io', { ...actions, GITHUB_ACTIONS: undefined }, signal)).toBeUndefined();
});

test('loginFor() prefers what is said of this very registry', async () => {
  const said = {
    ...actions,
    HEADGATE_REGISTRY: 'ghcr.io/kim/app',
    HEADGATE_REGISTRY_USER: 'lee',
    HEADGATE_REGISTRY_TOKEN: 'of lee',
  };

  expect(await loginFor('ghcr.io', said, signal)).toMatchObject({ user: 'lee', secret: 'of lee' });
  expect(await loginFor('other.example', said, signal)).toBeUndefined();
});

test('loginFor() finds for docker.io what `docker login` keeps under the name of old', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-docker-'));
  const auth = Buffer.from('kim:of kim').toString('base64');
  await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: { 'https://index.docker.io/v1/': { auth } } }));

  const login = await loginFor('docker.io', { DOCKER_CONFIG: folder }, signal);

  expect(login).toMatchObject({ user: 'kim', secret: 'of kim' });
  await rm(folder, { recursive: true });
});

test('loginFor() refuses a token without its user', async () => {
  const half = { ...nobody, HEADGATE_REGISTRY: 'registry.example/app', HEADGATE_REGISTRY_TOKEN: 'of somebody' };

  await expect(loginFor('registry.example', half, signal)).rejects.toMatchObject({
    code: 'USAGE',
    hint: 'set HEADGATE_REGISTRY_USER',
  });
});
