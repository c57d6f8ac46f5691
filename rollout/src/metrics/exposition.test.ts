import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { samplesOf } from './exposition.ts';

test('samplesOf() reads names, labels and values', () => {
  const text = `# HELP up A gauge
# TYPE up gauge
up 1
traefik_service_requests_total{code="200",method="GET",protocol="http",service="a-b-80@kubernetesgateway"} 1.234e+03
with_time{a="1"} 5 1700000000000
 trailing{a="b",} +Inf

`;

  expect(samplesOf(text)).toEqual([
    { name: 'up', labels: {}, value: 1 },
    {
      name: 'traefik_service_requests_total',
      labels: { code: '200', method: 'GET', protocol: 'http', service: 'a-b-80@kubernetesgateway' },
      value: 1234,
    },
    { name: 'with_time', labels: { a: '1' }, value: 5 },
    { name: 'trailing', labels: { a: 'b' }, value: Infinity },
  ]);
});

test.each(['<html>', 'name', 'name{a=1} 2', 'name{a="1" 2', 'name one', 'name{a="1"b="2"} 1', 'name NaN', '{a="1"} 2'])(
  'samplesOf() has no sample for %s',
  (line) => {
    expect(samplesOf(line)).toEqual([undefined]);
  },
);

test('samplesOf() gives back any label value', () => {
  const escaped = (value: string) => value.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (value) => {
      // Lines end in \n alone.
      fc.pre(!/[\r\u2028\u2029\v\f]/.test(value));
      expect(samplesOf(`name{a="${escaped(value)}",b="}"} 1`)).toEqual([
        { name: 'name', labels: { a: value, b: '}' }, value: 1 },
      ]);
    }),
  );
});
