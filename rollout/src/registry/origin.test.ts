import { expect, test } from '@jest/globals';
import { originOf, pathOf } from './origin.ts';

test.each([
  { host: '127.0.0.1:5000', origin: 'http://127.0.0.1:5000' },
  { host: 'localhost', origin: 'http://localhost' },
  { host: '[::1]:5000', origin: 'http://[::1]:5000' },
  { host: '127.0.0.1.example.com', origin: 'https://127.0.0.1.example.com' },
  { host: 'registry.example.com', origin: 'https://registry.example.com' },
  { host: 'docker.io', origin: 'https://registry-1.docker.io' },
  { host: 'index.docker.io', origin: 'https://registry-1.docker.io' },
  { host: 'quay.io', origin: 'https://quay.io' },
])('originOf($host) is $origin', ({ host, origin }) => {
  expect(originOf(host, {})).toBe(origin);
});

test('originOf() speaks http to a registry that the environment calls plain, and to no other of its name', () => {
  const env = { HEADGATE_PLAIN_REGISTRIES: 'registry.test:80, 10.0.0.1:5000' };

  expect(originOf('10.0.0.1:5000', env)).toBe('http://10.0.0.1:5000');
  expect(originOf('10.0.0.1:5001', env)).toBe('https://10.0.0.1:5001');
});

test.each([
  { host: 'docker.io', name: 'node', path: 'library/node' },
  { host: 'docker.io', name: 'kim/shop', path: 'kim/shop' },
  { host: 'ghcr.io', name: 'node', path: 'node' },
])('pathOf($host, $name) is $path', ({ host, name, path }) => {
  expect(pathOf(host, name)).toBe(path);
});
