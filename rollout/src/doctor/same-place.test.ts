import { expect, test } from '@jest/globals';
import type { KubeObject } from '../platform/kubernetes/client.ts';
import type { Spec } from '../spec.ts';
import type { ClusterFacts } from './cluster.ts';
import { samePlace } from './same-place.ts';

const spec = { kubernetes: { traffic: { kind: 'gateway-api', route: 'ratings' } } } as unknown as Spec; // No more is looked at.

type Given = {
  readonly name?: string;
  readonly made?: string;
  readonly hostnames?: readonly string[];
  readonly gateway?: string;
  readonly matches?: readonly object[];
};

function route({ name = 'other', made = '2', hostnames = ['shop.test'], gateway = 'main', matches = api }: Given = {}) {
  return {
    metadata: { name, namespace: 'demo', creationTimestamp: made },
    spec: { parentRefs: [{ namespace: 'gw', name: gateway }], hostnames, rules: [{ matches }] },
  } as KubeObject;
}

const api = [{ path: { type: 'PathPrefix', value: '/api' } }];
const ours = route({ name: 'ratings' });
const found = (...others: readonly KubeObject[]) =>
  samePlace({ routes: [ours, ...others] } as unknown as ClusterFacts, spec);

test('samePlace() says which of two routes for the same host and path has the requests', () => {
  expect(found(route({ made: '1' }))).toMatchObject([
    { kind: 'missing', about: 'HTTPRoute other', said: expect.stringContaining('asks for shop.test /api') },
  ]);
  expect(found(route({ made: '3' }))).toMatchObject([{ kind: 'hint', about: 'HTTPRoute other' }]);
  expect(found(route({ name: 'another' }))).toMatchObject([{ kind: 'missing' }]); // Of one second: the names decide.
});

test.each<{ what: string; other: Given; clashes: boolean }>([
  { what: 'another path', other: { matches: [{ path: { value: '/ui' } }] }, clashes: false },
  {
    what: 'the path of another kind',
    other: { matches: [{ path: { type: 'Exact', value: '/api' } }] },
    clashes: false,
  },
  { what: 'the path with a header', other: { matches: [{ ...api[0], headers: [{ name: 'x' }] }] }, clashes: false },
  { what: 'another host', other: { hostnames: ['other.test'] }, clashes: false },
  { what: 'another gateway', other: { gateway: 'second' }, clashes: false },
  { what: 'any host', other: { hostnames: [] }, clashes: true },
  { what: 'a wildcard over the host', other: { hostnames: ['*.test'] }, clashes: true },
  { what: 'one host of several', other: { hostnames: ['a.test', 'shop.test'] }, clashes: true },
])('samePlace() of a route for $what clashes: $clashes', ({ other, clashes }) => {
  expect(found(route(other)).length > 0).toBe(clashes);
});

test('samePlace() is silent before the route of the lanes is there', () => {
  expect(samePlace({ routes: [route()] } as unknown as ClusterFacts, spec)).toEqual([]);
});
