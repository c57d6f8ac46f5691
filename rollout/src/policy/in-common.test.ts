import { describe, expect, test } from '@jest/globals';
import { digest, type Revision } from '../revision.ts';
import { revisionNamed } from '../simulate/named.ts';
import { warningOf } from './in-common.ts';
import { emptyHead, type Head } from './release.ts';

const images = { old: digest(`sha256:${'a'.repeat(64)}`), new: digest(`sha256:${'b'.repeat(64)}`) };

type Parts = { readonly image: keyof typeof images; readonly env?: Readonly<Record<string, string>> };

function revision(name: string, { image, env = {} }: Parts): Revision {
  const plain = revisionNamed(name);
  const { proxy, rating } = plain.template.services;
  return {
    ...plain,
    digests: { proxy: images.old, rating: images[image] },
    template: { services: { proxy: { ...proxy!, env }, rating: rating! } },
  };
}

const live = revision('v1', { image: 'old', env: { LEVEL: 'info' } });
const bad = revision('v2', { image: 'new', env: { LEVEL: 'info', CACHE: 'on', LIMIT: '5' } });

/** Release 2 brought `bad` and went back. */
const rolledBack: Head = {
  ...emptyHead('test'),
  live: 'blue',
  lanes: { blue: live, green: undefined },
  release: { id: 2, revision: bad, state: { phase: { kind: 'rolledBack' } } } as unknown as Head['release'],
  revisions: [live],
  quarantined: [{ revision: bad.id, release: 2, text: 'worse' }],
};

describe('warningOf()', () => {
  test.each([
    { image: 'new', env: { CACHE: 'on', LIMIT: '6' }, shared: 'rating.image, proxy.env.CACHE' },
    { image: 'old', env: { LEVEL: 'info', LIMIT: '5' }, shared: 'proxy.env.LIMIT' },
  ] as const)(
    'lists what a revision with the $image image and $env shares with the bad one, and live has not',
    ({ shared, ...parts }) => {
      expect(warningOf(rolledBack, revision('v3', parts))).toBe(
        `warning: it shares with revision v2000000, which release 2 rolled back, what live does not have: ${shared}`,
      );
    },
  );

  test('is silent about what live has too', () => {
    expect(warningOf(rolledBack, revision('v3', { image: 'old', env: { LEVEL: 'info' } }))).toBeUndefined();
  });

  test('is silent about the bad revision itself, on which a person insists', () => {
    expect(warningOf(rolledBack, bad)).toBeUndefined();
  });

  test('is silent once another release has ended since', () => {
    const since = { ...rolledBack, release: { ...rolledBack.release!, id: 3 } };

    expect(warningOf(since, revision('v3', { image: 'new' }))).toBeUndefined();
  });

  test('knows a revision that was live until a release took its place back', () => {
    const restored = {
      ...rolledBack,
      release: { ...rolledBack.release!, id: 3, revision: live },
      revisions: [bad, live],
      quarantined: [{ revision: bad.id, release: 3, text: 'regret' }],
    };

    expect(warningOf(restored, revision('v3', { image: 'new' }))).toContain('which release 3 rolled back');
  });

  test('names eight parts at most, and says how many more there are', () => {
    const env = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`V${n}`, 'x']));
    const many = revision('v2', { image: 'old', env });
    const head = { ...rolledBack, release: { ...rolledBack.release!, revision: many } };

    expect(warningOf(head, revision('v3', { image: 'old', env }))).toMatch(
      /: (proxy\.env\.V\d, ){7}proxy\.env\.V7 and 4 more$/,
    );
  });
});
