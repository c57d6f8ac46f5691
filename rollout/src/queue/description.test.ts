import { describe, expect, test } from '@jest/globals';
import { describeQueue } from './description.ts';

const pulls = [
  'get.ratings',
  'post.ratings',
  'delete.ratings',
  'get.users',
  'post.users',
  'get.services',
  'post.services',
];

describe('describeQueue()', () => {
  const services = { proxy: { pulls: [] }, rating: { pulls } };
  const objects = describeQueue({ app: 'ratings', services, existing: undefined });

  test('names all that an app needs, in the order in which it can be made', () => {
    expect(objects.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'stream KV_headgate',
      'stream dlq-ratings',
      'stream ratings-blue',
      'consumer ratings-blue-rating',
      'stream ratings-green',
      'consumer ratings-green-rating',
    ]);
  });

  test('gives a lane a workqueue in memory that strips its own prefix', () => {
    expect(objects.find(({ name }) => name === 'ratings-blue')?.config).toEqual({
      name: 'ratings-blue',
      subjects: pulls.map((subject) => `ratings-blue.${subject}`),
      subject_transform: { src: 'ratings-blue.>', dest: '>' },
      storage: 'memory',
      retention: 'workqueue',
      no_ack: true,
      max_age: 120_000_000_000,
      duplicate_window: 100_000_000,
      max_bytes: 268_435_456,
      discard: 'old',
      num_replicas: 1,
      metadata: { 'headgate.app': 'ratings', 'headgate.lane': 'blue' },
    });
  });

  test('gives each worker service a durable whose filters are the subjects after the transform', () => {
    expect(objects.find(({ name }) => name === 'ratings-blue-rating')?.config).toEqual({
      durable_name: 'ratings-blue-rating',
      filter_subjects: pulls,
      ack_policy: 'explicit',
      ack_wait: 10_000_000_000,
      max_deliver: 5,
      max_ack_pending: 256,
      max_waiting: 512,
      deliver_policy: 'all',
      replay_policy: 'instant',
    });
  });

  test('makes lanes equal but for the name', () => {
    const blue = JSON.stringify(objects.filter(({ name }) => name.startsWith('ratings-blue')));
    const green = JSON.stringify(objects.filter(({ name }) => name.startsWith('ratings-green')));

    expect(blue.replaceAll('blue', 'green')).toBe(green);
  });

  test('gives an app two services with disjoint filters on one stream', () => {
    const two = describeQueue({
      app: 'shop',
      services: { cart: { pulls: ['get.carts'] }, mail: { pulls: ['post.mails'] } },
      existing: undefined,
    });

    expect(two.find(({ name }) => name === 'shop-green')?.config['subjects']).toEqual([
      'shop-green.get.carts',
      'shop-green.post.mails',
    ]);
    expect(two.find(({ name }) => name === 'shop-green-mail')?.config['filter_subjects']).toEqual(['post.mails']);
  });

  test('leaves a lane that was there before to who made it', () => {
    const existing = { stream: 'requests', consumers: { rating: 'rating-worker' } };
    const made = describeQueue({ app: 'ratings', services, existing });

    expect(made).toEqual(objects.filter(({ name }) => !name.startsWith('ratings-blue')));
  });

  test('refuses a subject that two services pull', () => {
    const shared = { cart: { pulls: ['get.carts'] }, mail: { pulls: ['get.carts'] } };

    expect(() => describeQueue({ app: 'shop', services: shared, existing: undefined })).toThrow(
      expect.objectContaining({
        code: 'SPEC_INVALID',
        message: expect.stringContaining('"get.carts" in cart and mail'),
      }),
    );
  });
});
