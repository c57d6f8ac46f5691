import { describe, expect, test } from '@jest/globals';
import { readConfig } from './config.ts';

const DATABASE_URL = 'postgres://me:secret@db:5432/ratings';

describe('readConfig()', () => {
  test('needs the database, and nothing else', () => {
    expect(readConfig({ DATABASE_URL })).toEqual({
      kind: 'config',
      config: {
        host: '0.0.0.0',
        adminPort: 9090,
        nats: { servers: ['127.0.0.1:4222'], credentials: undefined, inboxPrefix: '_INBOX' },
        database: { url: DATABASE_URL, connectionsMax: 8 },
        identity: { app: 'app', lane: 'blue', service: 'rating', revision: 'unknown' },
        own: { stream: 'app-blue', consumer: 'app-blue-rating' },
        other: { stream: 'app-green', consumer: 'app-green-rating' },
        parallelism: 16,
        inboxKeepMs: 300_000,
      },
    });
  });

  test('derives stream and consumer from app, lane and service, and takes them as named', () => {
    const lane = { DATABASE_URL, HEADGATE_APP: 'ratings', HEADGATE_LANE: 'green', HEADGATE_SERVICE: 'worker' };
    const named = { SERVICE_STREAM_NAME: 'own', SERVICE_CONSUMER_NAME: 'own_c' };
    const others = { OTHER_STREAM_NAME: 'old', OTHER_CONSUMER_NAME: 'old_c' };

    expect(readConfig(lane)).toMatchObject({
      config: {
        own: { stream: 'ratings-green', consumer: 'ratings-green-worker' },
        other: { stream: 'ratings-blue', consumer: 'ratings-blue-worker' },
      },
    });
    expect(readConfig({ ...lane, ...named, ...others })).toMatchObject({
      config: { own: { stream: 'own', consumer: 'own_c' }, other: { stream: 'old', consumer: 'old_c' } },
    });
  });

  test('takes credentials out of the URL, so that servers can be logged', () => {
    expect(readConfig({ DATABASE_URL, NATS_URL: 'nats://me:p%40ss@a:1, b' })).toMatchObject({
      config: { nats: { servers: ['a:1', 'b:4222'], credentials: { user: 'me', pass: 'p@ss' } } },
    });
  });

  test('takes an empty variable as absent', () => {
    expect(readConfig({ DATABASE_URL, PARALLELISM: '', NATS_URL: '', SERVICE_STREAM_NAME: '' })).toEqual(
      readConfig({ DATABASE_URL }),
    );
  });

  test('names all mistakes at once, each with rule and value, and no password', () => {
    const read = readConfig({
      HEADGATE_APP: 'Ratings',
      HEADGATE_LANE: 'red',
      HEADGATE_REVISION: 'main',
      SERVICE_STREAM_NAME: 'ratings.blue',
      HOST: 'a b',
      ADMIN_PORT: '70000',
      NATS_URL: 'http://me:secret@a',
      INBOX_PREFIX: 'inbox.>',
      DATABASE_URL: 'mysql://me:secret@db',
      DATABASE_CONNECTIONS_MAX: '1',
      PARALLELISM: '0',
      INBOX_KEEP_MS: '60000',
    });

    expect(read.kind === 'issues' && read.issues.map(({ message }) => message)).toEqual([
      'Cannot use HEADGATE_APP as it must be lower-case letters, digits and "-": current value is "Ratings"',
      'Cannot use HEADGATE_LANE as it must be "blue" or "green": current value is "red"',
      'Cannot use HEADGATE_REVISION as it must be 64 hex digits or "unknown": current value is "main"',
      'Cannot use HOST as it must be an address without blanks: current value is "a b"',
      'Cannot use ADMIN_PORT as it must be a whole number from 0 to 65535: current value is "70000"',
      'Cannot use NATS_URL as it must be like "nats://host:4222", joined by commas: current value is "http://***@a"',
      'Cannot use INBOX_PREFIX as it must be like "_INBOX_worker": current value is "inbox.>"',
      'Cannot use DATABASE_URL as it must be like "postgres://user:password@host:5432/ratings": current value is "mysql://***@db"',
      'Cannot use DATABASE_CONNECTIONS_MAX as it must be a whole number from 2 to 1000: current value is "1"',
      'Cannot use SERVICE_STREAM_NAME as it must be letters, digits, "_" and "-": current value is "ratings.blue"',
      'Cannot use PARALLELISM as it must be a whole number from 1 to 1000: current value is "0"',
      'Cannot use INBOX_KEEP_MS as it must be a whole number from 170000 to 2147483648: current value is "60000"',
    ]);
  });

  test('says once that the database is missing', () => {
    expect(readConfig({})).toMatchObject({ kind: 'issues', issues: [{ variable: 'DATABASE_URL' }] });
  });

  test('hides a password that stands in a parameter', () => {
    const read = readConfig({ DATABASE_URL: 'db/ratings?user=me&password=secret&x=1' });

    expect(read.kind === 'issues' && read.issues[0]?.message).toContain('"db/ratings?user=me&password=***&x=1"');
  });
});
