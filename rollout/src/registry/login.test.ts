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

test('loginFor() refuses a token without its user', async () => {
  const half = { ...nobody, HEADGATE_REGISTRY: 'registry.example/app', HEADGATE_REGISTRY_TOKEN: 'of somebody' };

  await expect(loginFor('registry.example', half, signal)).rejects.toMatchObject({
    code: 'USAGE',
    hint: 'set HEADGATE_REGISTRY_USER',
  });
});
