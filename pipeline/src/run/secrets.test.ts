import { expect, test } from '@jest/globals';
import { clusterEnvironment } from './environment.ts';
import { hiddenInside } from './hidden.ts';
import { secretsOf } from './secrets.ts';

test('secretsOf() takes what is named so by custom, from eight characters on', () => {
  const env = { NPM_TOKEN: 'npm_0123456789', TOKEN: 'short', DB_PASSWORD: 'correct horse', PATH: '/usr/bin/and/more' };
  const hook = { HEADGATE_WEBHOOK: 'https://chat.example/t0ken' };

  expect(secretsOf({ ...env, ...hook })).toEqual({
    NPM_TOKEN: 'npm_0123456789',
    DB_PASSWORD: 'correct horse',
    ...hook,
  });
});

test('secretsOf() takes programs by their own custom, which writes no underscore before the word', () => {
  const env = { PGPASSWORD: 'correct horse', AUTHTOKEN: '0123456789', CLIENTSECRET: '0123456789' };

  expect(secretsOf({ ...env, PASSWORD_FILE: '/run/secrets/db', TOKENS_MAX: '100000000' })).toEqual(env);
});

test('secretsOf() takes any other key of sixteen characters or more, but for public ones', () => {
  const value = '0123456789abcdef';
  const env = {
    STRIPE_KEY: value,
    KEY: value,
    SORT_KEY: 'created_at',
    SSH_PUBLIC_KEY: value,
    HEADGATE_VERIFY_KEY: value,
  };

  expect(Object.keys(secretsOf({ ...env, MONKEY: value }))).toEqual(['STRIPE_KEY', 'KEY']);
});

test('kubectl and Ansible see all that a login to a cluster may need, and no secret of Headgate itself', () => {
  const login = {
    PATH: '/bin',
    HEADGATE_KUBECONFIG: '/k',
    AWS_SECRET_ACCESS_KEY: '0123456789',
    VAULT_TOKEN: '0123456789',
  };
  const own = {
    HEADGATE_SIGNING_KEY: '0123456789',
    HEADGATE_REGISTRY_TOKEN: '0123456789',
    HEADGATE_GITHUB_TOKEN: '0123456789',
  };

  expect(clusterEnvironment({ ...login, ...own })).toEqual(login);
});

test('hiddenInside() finds secrets of services by name and pair, and does not take a whole file for one', () => {
  const container = {
    name: 'web',
    env: [
      { name: 'DB_PASSWORD', value: 'correct horse' },
      { name: 'LEVEL', value: 'informative' },
    ],
  };
  const data = { API_TOKEN: '0123456789', NATS: 'nats://kim:pass@nats', conf: 'a line\nurl = nats://kim:pass@nats\n' };

  const found = hiddenInside({
    patch: [{ op: 'replace', value: { spec: { containers: [container] } } }],
    configMaps: [{ data }],
  });

  expect(found.toSorted()).toEqual(['0123456789', 'correct horse', 'nats://kim:pass@nats']);
});

test('secretsOf() takes what HEADGATE_SECRETS names, however short, and not the list itself', () => {
  const env = { HEADGATE_SECRETS: 'PIN, COLOUR', PIN: '1234', COLOUR: 'mauve', EMPTY_TOKEN: '' };

  expect(secretsOf(env)).toEqual({ PIN: '1234', COLOUR: 'mauve' });
});
