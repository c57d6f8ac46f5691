import { expect, test } from '@jest/globals';
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

test('secretsOf() takes what HEADGATE_SECRETS names, however short, and not the list itself', () => {
  const env = { HEADGATE_SECRETS: 'PIN, COLOUR', PIN: '1234', COLOUR: 'mauve', EMPTY_TOKEN: '' };

  expect(secretsOf(env)).toEqual({ PIN: '1234', COLOUR: 'mauve' });
});
