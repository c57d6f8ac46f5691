import { describe, expect, test } from '@jest/globals';
import type { Config } from './description.ts';
import { covers, unlike } from './existing.ts';

const target = {
  app: 'shop',
  services: { proxy: { pulls: [] }, cart: { pulls: ['get.carts', 'post.carts'] }, mail: { pulls: ['post.mails'] } },
  existing: { stream: 'requests', consumers: { cart: 'carts', mail: 'mails' } },
};

const stream = {
  config: { subjects: ['*.carts', '*.mails'], retention: 'interest', no_ack: true, max_age: 3_600_000_000_000 },
  state: { consumer_count: 2 },
};
const cart = { config: { ack_policy: 'explicit', max_deliver: 20, filter_subject: '*.carts' } };
const mail = { config: { ack_policy: 'explicit', max_deliver: 20, filter_subjects: ['*.mails'] } };

function told(over: { stream?: Config | undefined; cart?: Config | undefined; mail?: Config | undefined }): string[] {
  const infos = { stream, cart, mail, ...over };
  return unlike(target, { stream: infos.stream, consumers: { cart: infos.cart, mail: infos.mail } }).flatMap(
    ({ service = 'stream', differences }) =>
      differences.map(({ field, wanted, current }) => `${service} ${field}: ${wanted}, not ${JSON.stringify(current)}`),
  );
}

const streamWith = (config: Config, state: Config = {}): { stream: Config } => ({
  stream: { config: { ...stream.config, ...config }, state: { ...stream.state, ...state } },
});
const cartWith = (config: Config): { cart: Config } => ({ cart: { config: { ...cart.config, ...config } } });

describe('unlike()', () => {
  test('finds nothing where each message has one service and goes when that is done', () => {
    expect(told({})).toEqual([]);
    expect(told(streamWith({ retention: 'workqueue', max_age: 0 }))).toEqual([]);
  });

  test('finds a stream or consumer that is not there', () => {
    expect(told({ stream: undefined })).toEqual(['stream name: one that is there, not undefined']);
    expect(told({ mail: undefined })).toContain('mail name: one that is there, not undefined');
  });

  test.each<[string, Parameters<typeof told>[0], string]>([
    ['keeps what is done', streamWith({ retention: 'limits' }), 'stream retention: interest, not "limits"'],
    ['answers by itself', streamWith({ no_ack: false }), 'stream no_ack: true, not false'],
    [
      'renames',
      streamWith({ subject_transform: { src: '>' } }),
      'stream subject_transform: undefined, not {"src":">"}',
    ],
    ['forgets at once', streamWith({ max_age: 1e9 }), 'stream max_age: at least 60000000000, or none, not 1000000000'],
    [
      'lacks a subject',
      streamWith({ subjects: ['get.carts', '*.mails'] }),
      'stream subjects: such that they have post.carts, not ["get.carts","*.mails"]',
    ],
    [
      'takes the other lane’s',
      streamWith({ subjects: ['*.carts', '*.mails', 'shop-green.>'] }),
      'stream subjects: such that they lack shop-green.post.mails, not ["*.carts","*.mails","shop-green.>"]',
    ],
    [
      'has what nobody pulls',
      streamWith({ subjects: ['*.carts', '*.mails', 'get.users'] }),
      'stream subjects: such that a service pulls each, and none pulls get.users, not ["*.carts","*.mails","get.users"]',
    ],
    ['has another reader', streamWith({}, { consumer_count: 3 }), 'stream consumer_count: 2, not 3'],
    ['acks by itself', cartWith({ ack_policy: 'none' }), 'cart ack_policy: explicit, not "none"'],
    ['is pushed to', cartWith({ deliver_subject: 'x' }), 'cart deliver_subject: undefined, not "x"'],
    ['tries for ever', cartWith({ max_deliver: -1 }), 'cart max_deliver: a number above 0, not -1'],
    [
      'gets too little',
      cartWith({ filter_subject: 'get.carts' }),
      'cart filter_subject: such that they have post.carts, not "get.carts"',
    ],
    [
      'gets another service’s',
      { cart: { config: { ack_policy: 'explicit', max_deliver: 20 } } },
      'cart filter_subjects: such that they lack post.mails, not undefined',
    ],
  ])('finds one that %s', (_what, over, wanted) => {
    expect(told(over)).toContain(wanted);
  });
});

test.each([
  ['get.carts', 'get.carts', true],
  ['*.carts', 'get.carts', true],
  ['*.carts', '*.carts', true],
  ['get.*', '*.carts', false],
  ['*.carts', 'shop-green.get.carts', false],
  ['>', '*.carts', true],
  ['>', '>', true],
  ['*', '>', false],
  ['get.>', 'get', false],
  ['get.>', 'get.carts.7', true],
  ['get.carts', 'get.>', false],
])('covers() %s has %s: %s', (pattern, subject, wanted) => {
  expect(covers(pattern, subject)).toBe(wanted);
});
