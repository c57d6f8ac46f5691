import { expect, test } from '@jest/globals';
import { parseChallenge } from './challenge.ts';

test.each([
  { header: 'Basic realm="test"', kind: 'basic' },
  { header: 'basic', kind: 'basic' },
  {
    header: 'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull,push"',
    kind: 'bearer',
    realm: 'https://ghcr.io/token',
    service: 'ghcr.io',
  },
  { header: 'bearer service=x, realm=https://y/token', kind: 'bearer', realm: 'https://y/token', service: 'x' },
  { header: 'Basic realm="other", Bearer realm="https://y/token"', kind: 'bearer', realm: 'https://y/token' },
  { header: 'Bearer realm="https://y/token", Basic realm="other"', kind: 'bearer', realm: 'https://y/token' },
])('parseChallenge() reads $header', ({ header, ...parts }) => {
  expect(parseChallenge(header)).toEqual(parts);
});

test.each(['', 'Negotiate', 'Bearer', 'Bearer service="x"', 'Basically realm="y"'])(
  'parseChallenge() finds no way in by "%s"',
  (header) => {
    expect(parseChallenge(header)).toBeUndefined();
  },
);
