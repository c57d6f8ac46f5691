import { expect, test } from '@jest/globals';
import { parseReference } from './reference.ts';

const hash = `sha256:${'a'.repeat(64)}`;

test('parseReference() asks a registry that the environment calls plain by http, as whoever publishes there does', () => {
  const env = { HEADGATE_PLAIN_REGISTRIES: '10.0.0.1:5000' };

  expect(parseReference(`10.0.0.1:5000/a@${hash}`, env)).toMatchObject({ origin: 'http://10.0.0.1:5000', name: 'a' });
  expect(parseReference(`10.0.0.1:5000/a@${hash}`, {})).toMatchObject({ origin: 'https://10.0.0.1:5000' });
});

test('parseReference() knows where docker.io answers, and what its short names mean', () => {
  expect(parseReference(`docker.io/node@${hash}`, {})).toEqual({
    origin: 'https://registry-1.docker.io',
    host: 'docker.io',
    name: 'library/node',
    digest: hash,
  });
});

test.each(['node', `node@${hash}`, 'docker.io/node:latest', `docker.io/Node@${hash}`])(
  'parseReference() refuses %s',
  (one) => {
    expect(() => parseReference(one, {})).toThrow(`current value is "${one}"`);
  },
);
