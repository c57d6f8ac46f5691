import { describe, expect, test } from '@jest/globals';
import { uncovered } from './rights.ts';

describe('uncovered()', () => {
  const needed = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'patch'], resourceNames: ['wishes'] }];

  test.each([
    { what: 'everything', held: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }], lacks: [] },
    { what: 'the kind', held: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'patch'] }], lacks: [] },
    { what: 'the name', held: [{ ...needed[0]!, verbs: ['get'] }], lacks: ['patch configmaps wishes'] },
    {
      what: 'another name',
      held: [{ ...needed[0]!, resourceNames: ['other'] }],
      lacks: ['get configmaps wishes', 'patch configmaps wishes'],
    },
    { what: 'nothing', held: [], lacks: ['get configmaps wishes', 'patch configmaps wishes'] },
  ])('of who holds $what is $lacks', ({ held, lacks }) => {
    expect(uncovered(needed, held)).toEqual(lacks);
  });

  test('is not satisfied by one name where all are needed', () => {
    const all = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }];

    expect(uncovered(all, [{ ...all[0]!, resourceNames: ['wishes'] }])).toEqual(['get configmaps']);
  });
});
