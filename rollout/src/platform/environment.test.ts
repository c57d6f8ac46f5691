import { expect, test } from '@jest/globals';
import { aRevision } from '../workload/revision.rig.ts';
import { environmentOf } from './environment.ts';

const revision = aRevision();
const servers = { nats: 'nats://127.0.0.1:4222', database: 'postgres://x' };
const ports = { host: '127.0.0.1', port: 1234, adminPort: 1235 };

function seat(service: 'proxy' | 'rating', env: Record<string, string>) {
  return {
    app: 'ratings',
    existing: undefined,
    lane: 'green',
    service,
    revision,
    template: { ...revision.template.services[service]!, env },
  } as const;
}

test('environmentOf() tells a proxy its prefix and ports', () => {
  expect(environmentOf(seat('proxy', { PATH_PREFIX: '/api', WHERE: 'in $(LANE)' }), servers, ports)).toEqual({
    HEADGATE_APP: 'ratings',
    HEADGATE_LANE: 'green',
    HEADGATE_SERVICE: 'proxy',
    HEADGATE_REVISION: revision.id,
    NATS_URL: 'nats://127.0.0.1:4222',
    DATABASE_URL: 'postgres://x',
    SUBJECT_PREFIX: 'ratings-green',
    PATH_PREFIX: '/api',
    WHERE: 'in green',
    HOST: '127.0.0.1',
    PORT: '1234',
    ADMIN_PORT: '1235',
  });
});

test('environmentOf() tells a worker its stream and consumer, and gives it no HTTP port', () => {
  const env = environmentOf(seat('rating', {}), servers, ports);

  expect(env).toMatchObject({ SERVICE_STREAM_NAME: 'ratings-green', SERVICE_CONSUMER_NAME: 'ratings-green-rating' });
  expect(env).not.toHaveProperty('PORT');
});

test('environmentOf() gives the lane of what ran before its names, and tells the workers of both where the other one is', () => {
  const existing = { stream: 'requests', consumers: { rating: 'rating-worker' } };
  const env = (lane: 'blue' | 'green', service: 'proxy' | 'rating') =>
    environmentOf({ ...seat(service, {}), lane, existing }, servers, ports);

  expect(env('blue', 'proxy')).toMatchObject({ SUBJECT_PREFIX: '' });
  expect(env('green', 'proxy')).toMatchObject({ SUBJECT_PREFIX: 'ratings-green' });
  expect(env('blue', 'rating')).toMatchObject({
    SERVICE_STREAM_NAME: 'requests',
    SERVICE_CONSUMER_NAME: 'rating-worker',
    OTHER_STREAM_NAME: 'ratings-green',
    OTHER_CONSUMER_NAME: 'ratings-green-rating',
  });
  expect(env('green', 'rating')).toMatchObject({
    SERVICE_STREAM_NAME: 'ratings-green',
    SERVICE_CONSUMER_NAME: 'ratings-green-rating',
    OTHER_STREAM_NAME: 'requests',
    OTHER_CONSUMER_NAME: 'rating-worker',
  });
});

test('environmentOf() lets the template replace addresses, but not who and where a process is', () => {
  const env = environmentOf(
    seat('proxy', { NATS_URL: 'nats://mine', PORT: '80', HEADGATE_LANE: 'blue' }),
    servers,
    ports,
  );

  expect(env).toMatchObject({ NATS_URL: 'nats://mine', PORT: '1234', HEADGATE_LANE: 'green' });
});
