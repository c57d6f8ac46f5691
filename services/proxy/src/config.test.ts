import { describe, expect, test } from '@jest/globals';
import { readConfig } from './config.ts';

describe('readConfig()', () => {
  test('runs alone, with nothing set', () => {
    expect(readConfig({})).toMatchObject({
      kind: 'config',
      config: {
        port: 8080,
        adminPort: 9090,
        nats: { servers: ['127.0.0.1:4222'], credentials: undefined, inboxPrefix: '_INBOX' },
        subjectPrefix: '',
        pathPrefix: '',
        identity: { lane: 'blue', revision: 'unknown' },
        limits: { requestTimeoutMs: 5_000, waitersMax: 5_000 },
      },
    });
  });

  test('takes credentials out of the URL, so that servers can be logged', () => {
    expect(readConfig({ NATS_URL: 'nats://me:p%40ss@a:1, b' })).toMatchObject({
      config: { nats: { servers: ['a:1', 'b:4222'], credentials: { user: 'me', pass: 'p@ss' } } },
    });
  });

  test('takes an empty variable as absent', () => {
    expect(readConfig({ PORT: '', SUBJECT_PREFIX: '', NATS_URL: '' })).toEqual(readConfig({}));
  });

  test('names all mistakes at once, each with rule and value', () => {
    const read = readConfig({
      PORT: '80x',
      ADMIN_PORT: '70000',
      NATS_URL: 'http://me:secret@a',
      SUBJECT_PREFIX: 'ratings.*',
      PATH_PREFIX: 'api/',
      HEADGATE_LANE: 'red',
      HEADGATE_REVISION: 'main',
      REQUEST_TIMEOUT_MS: '0',
      HEADERS_TIMEOUT_MS: '600',
      BODY_TIMEOUT_MS: '500',
      CORS_ORIGINS: 'example.com',
    });

    expect(read.kind === 'issues' && read.issues.map(({ message }) => message)).toEqual([
      'Cannot use PORT as it must be a whole number from 0 to 65535: current value is "80x"',
      'Cannot use ADMIN_PORT as it must be a whole number from 0 to 65535: current value is "70000"',
      'Cannot use NATS_URL as it must be like "nats://host:4222": current value is "http://***@a"',
      'Cannot use SUBJECT_PREFIX as it must be subject tokens joined by ".": current value is "ratings.*"',
      'Cannot use PATH_PREFIX as it must be like "/api": no slash at the end, no empty segment: current value is "api/"',
      'Cannot use CORS_ORIGINS as it must be "*" or origins like "https://example.com": current value is "example.com"',
      'Cannot use HEADGATE_LANE as it must be "blue" or "green": current value is "red"',
      'Cannot use HEADGATE_REVISION as it must be 64 hex digits or "unknown": current value is "main"',
      'Cannot use REQUEST_TIMEOUT_MS as it must be a whole number from 1 to 600000: current value is "0"',
      'Cannot use BODY_TIMEOUT_MS as it must not be less than HEADERS_TIMEOUT_MS: current value is "500"',
    ]);
  });
});
