/** Metrics of the user's own in headgate.yaml: shape, meaning and defaults of one. */
import type { MetricSpec, Tolerance } from '../spec.ts';
import { decimal, fields, flag, oneOf, text, whole } from './read.ts';
import type { Path } from './source.ts';

/** Stands for the lane's name, as in `env`. */
const laneMark = '$(LANE)';

const counters = text(
  'must be a selector of counters that names the lane, such as errors_total{lane="$(LANE)"}: Headgate sums and subtracts by itself',
  /^(?=.*\$\(LANE\))([A-Za-z_:][\w:]*)?\{([^{}"]|"([^"\\]|\\.)*")*\}$/,
);

export const metric = fields({
  prometheus: text(
    'must be an address such as http://prometheus.monitoring:9090, without user, password and / at its end',
    /^https?:\/\/[^\s/@]+(\/\S*)?(?<!\/)$/,
  ),
  webhook: text(
    'must be an address that names the lane, such as http://quality:8080/counts?lane=$(LANE), without user and password',
    /^(?=.*\$\(LANE\))https?:\/\/[^\s/@]+(\/\S*)?$/,
  ),
  failures: counters,
  total: counters,
  value: text('must be a query that names the lane as $(LANE)', /\$\(LANE\)/),
  min: decimal,
  max: decimal,
  looks: whole(1, 1_000),
  tolerate: oneOf('strict', 'default', 'relaxed'),
  dryRun: flag,
});

type WrittenMetric = NonNullable<ReturnType<typeof metric>>;
type Part = keyof WrittenMetric;
type Written = (part: Part) => boolean;
type Broken = { readonly path: Path; readonly rule: string; readonly of?: 'key' };

const metricsMax = 20;
const looksDefault = 3;

/** What is wrong with the metrics as a whole; paths begin below them. */
export function brokenMetrics(metrics: ReadonlyMap<string, WrittenMetric>): readonly Broken[] {
  const many = metrics.size > metricsMax ? [{ path: [], rule: `must be at most ${metricsMax}` }] : [];
  return [
    ...many,
    ...[...metrics].flatMap(([name, written]) => [
      ...(/^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$/.test(name) ? [] : [badName(name)]),
      ...brokenParts(written).map((broken) => ({ ...broken, path: [name, ...broken.path] })),
    ]),
  ];
}

function badName(name: string): Broken {
  const rule = 'must be named with at most 30 lower-case letters, digits and inner dashes, a letter first';
  return { path: [name], rule, of: 'key' };
}

function brokenParts(metric: WrittenMetric): readonly Broken[] {
  // Also true for a part that could not be read: its mistake is reported already.
  const has: Written = (part) => Object.hasOwn(metric, part);
  if (has('prometheus') === has('webhook')) return [{ path: [], rule: 'must have one source, prometheus or webhook' }];
  const isLimit = has('min') || has('max');
  return [...brokenSource(has, isLimit), ...(isLimit ? brokenLimit(metric, has) : brokenPair(has))];
}

function brokenSource(has: Written, isLimit: boolean): readonly Broken[] {
  if (has('webhook')) {
    const queries = (['failures', 'total', 'value'] as const).filter(has);
    return queries.map((part) => ({ path: [part], rule: 'must be left out, as a webhook answers with the numbers' }));
  }
  if (isLimit) return has('value') ? [] : [{ path: ['value'], rule: 'must be written, as a limit needs a query' }];
  const isWhole = has('failures') && has('total');
  return isWhole ? [] : [{ path: [], rule: 'must have failures and total, as there is neither min nor max' }];
}

function brokenLimit({ min, max }: WrittenMetric, has: Written): readonly Broken[] {
  const foreign = (['failures', 'total'] as const).filter((part) => has(part) && !has('webhook'));
  return [
    ...foreign.map((part) => ({ path: [part], rule: 'must be left out of a limit, which takes one value' })),
    ...(has('tolerate') ? [{ path: ['tolerate'], rule: 'must be left out of a limit, which has no error rate' }] : []),
    ...(min !== undefined && max !== undefined && min >= max
      ? [{ path: ['min'], rule: `must be less than max, ${max}` }]
      : []),
  ];
}

function brokenPair(has: Written): readonly Broken[] {
  return [
    ...(has('value') && !has('webhook') ? [{ path: ['value'], rule: 'must stand beside min or max' }] : []),
    ...(has('looks') ? [{ path: ['looks'], rule: 'must stand beside min or max' }] : []),
  ];
}

/** Only for a metric in which nothing was found wrong. `tolerate`: the release's, for a metric that says nothing else. */
export function normalizeMetric(written: WrittenMetric, tolerate: Tolerance): MetricSpec {
  const { prometheus, webhook = '', failures = '', total = '', value = '', min, max, dryRun = false } = written;
  const hook = { kind: 'webhook', url: webhook } as const;
  if (min === undefined && max === undefined) {
    const from = prometheus === undefined ? hook : ({ kind: 'prometheus', url: prometheus, failures, total } as const);
    return { kind: 'failures', from, tolerate: written.tolerate ?? tolerate, dryRun };
  }
  const from = prometheus === undefined ? hook : ({ kind: 'prometheus', url: prometheus, value } as const);
  return { kind: 'limit', from, min, max, looks: written.looks ?? looksDefault, dryRun };
}

/** A query or an address for one lane. */
export function forLane(written: string, lane: string): string {
  return written.replaceAll(laneMark, lane);
}
