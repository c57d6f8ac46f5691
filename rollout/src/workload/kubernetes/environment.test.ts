import { expect, test } from '@jest/globals';
import { type Container, environmentIn, type Variable } from './environment.ts';

const none: ReadonlyMap<string, undefined> = new Map();

/** A text for what is known, and in brackets why something is not. */
function read(
  container: Container,
  configMaps: ReadonlyMap<string, Readonly<Record<string, string>> | undefined> = none,
) {
  const { variables, unnamed } = environmentIn(container, configMaps);
  const told = (one: Variable) => (one.kind === 'value' ? one.value : `(${one.why})`);
  return { ...Object.fromEntries(Object.entries(variables).map(([name, one]) => [name, told(one)])), unnamed };
}

test('environmentIn() takes the later source over the earlier, and what is named over both', () => {
  const container = {
    envFrom: [
      { configMapRef: { name: 'base' } },
      { prefix: 'MY_', configMapRef: { name: 'more' } },
      { configMapRef: { name: 'more' } },
    ],
    env: [{ name: 'LEVEL', value: 'named' }, { name: 'EMPTY' }],
  };
  const configMaps = new Map([
    ['base', { LEVEL: 'base', SIZE: '1' }],
    ['more', { SIZE: '2' }],
  ]);

  expect(read(container, configMaps)).toEqual({ LEVEL: 'named', SIZE: '2', MY_SIZE: '2', EMPTY: '', unnamed: [] });
});

test('environmentIn() puts variables in place of $(NAME) where they stand before, and a dollar in place of $$', () => {
  const env = [
    { name: 'HOST', value: 'db' },
    { name: 'URL', value: 'pg://$(HOST):$(PORT)/$(' },
    { name: 'PORT', value: '1' },
    { name: 'PRICE', value: '$$(HOST) costs $5, $$$$' },
  ];

  expect(read({ env })).toMatchObject({ URL: 'pg://db:$(PORT)/$(', PRICE: '$(HOST) costs $5, $$' });
});

test('environmentIn() names a Secret, and whatever is made of one, without reading it', () => {
  const container = {
    envFrom: [{ secretRef: { name: 'all' } }],
    env: [
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'database', key: 'word' } } },
      { name: 'URL', value: 'pg://kim:$(PASSWORD)@db' },
    ],
  };

  expect(read(container)).toEqual({
    PASSWORD: '(key word of Secret database, which is not read)',
    URL: '(made of PASSWORD)',
    unnamed: ['all keys of Secret all, which is not read'],
  });
});

test('environmentIn() says of what differs between pods where it comes from', () => {
  const env = [
    { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    { name: 'MEMORY', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
  ];

  expect(read({ env })).toMatchObject({
    IP: '(status.podIP of each pod)',
    MEMORY: '(limits.memory of each container)',
  });
});

test.each([
  { optional: true, read: { unnamed: [] } },
  {
    optional: false,
    read: {
      LEVEL: '(key level of ConfigMap gone, which is not there: no new pod starts)',
      unnamed: ['all keys of ConfigMap gone, which is not there: no new pod starts'],
    },
  },
])('environmentIn() tells of a ConfigMap that is not there unless it is optional ($optional)', (one) => {
  const ref = { name: 'gone', optional: one.optional };
  const container = {
    envFrom: [{ configMapRef: ref }],
    env: [{ name: 'LEVEL', valueFrom: { configMapKeyRef: { ...ref, key: 'level' } } }],
  };

  expect(read(container)).toEqual(one.read);
});
