import { describe, expect, test } from '@jest/globals';
import { parseRepository } from './http.ts';

describe('parseRepository()', () => {
  test.each([
    { repository: '127.0.0.1:5000/ratings/proxy', origin: 'http://127.0.0.1:5000', name: 'ratings/proxy' },
    { repository: 'localhost/a', origin: 'http://localhost', name: 'a' },
    { repository: '[::1]:5000/a', origin: 'http://[::1]:5000', name: 'a' },
    { repository: 'registry.example.com/team/a-b', origin: 'https://registry.example.com', name: 'team/a-b' },
  ])('reads $repository', ({ repository, origin, name }) => {
    expect(parseRepository(repository)).toEqual({ repository, origin, host: repository.split('/')[0], name });
  });

  test('asks where the host answers', () => {
    const env = { HEADGATE_PLAIN_REGISTRIES: '10.0.0.1:5000' };

    expect(parseRepository('10.0.0.1:5000/a', env).origin).toBe('http://10.0.0.1:5000');
    expect(parseRepository('docker.io/node')).toEqual({
      repository: 'docker.io/node',
      origin: 'https://registry-1.docker.io',
      host: 'docker.io',
      name: 'library/node',
    });
  });

  test.each(['ratings', 'http://host/a', 'host/a:tag', 'host/a@sha256:00', 'host/UPPER', 'host/../a', 'host/'])(
    'refuses %s',
    (repository) => {
      expect(() => parseRepository(repository)).toThrow(`current value is "${repository}"`);
    },
  );
});
