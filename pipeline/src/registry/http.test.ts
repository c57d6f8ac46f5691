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

  test('speaks http to a registry that the environment calls plain, and to no other of its name', () => {
    const env = { HEADGATE_PLAIN_REGISTRIES: 'registry.test:80,10.0.0.1:5000' };

    expect(parseRepository('10.0.0.1:5000/a', env).origin).toBe('http://10.0.0.1:5000');
    expect(parseRepository('10.0.0.1:5001/a', env).origin).toBe('https://10.0.0.1:5001');
  });

  test.each(['ratings', 'http://host/a', 'host/a:tag', 'host/a@sha256:00', 'host/UPPER', 'host/../a', 'host/'])(
    'refuses %s',
    (repository) => {
      expect(() => parseRepository(repository)).toThrow(`current value is "${repository}"`);
    },
  );
});
