import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { newVitals, openAdmin } from '../../rollout/src/controller/admin.ts';
import { openLog as openProxyLog } from '../../services/proxy/src/log.ts';
import { Metrics as ProxyMetrics } from '../../services/proxy/src/metrics.ts';
import { openLog as openRatingLog } from '../../services/rating/src/log.ts';
import { openMetrics } from '../../services/rating/src/metrics.ts';

const files = join(import.meta.dirname, '../../ansible/roles/observability/files');
const read = (name: string) => readFileSync(join(files, name), 'utf8');

/** Every expression of the alerts and of the dashboard, with where it stands. */
function expressions(): readonly { readonly place: string; readonly expr: string }[] {
  const rules = load(read('rules.yml')) as { groups: { rules: { alert: string; expr: string }[] }[] };
  const board = JSON.parse(read('dashboard.json')) as { panels: { title: string; targets: { expr: string }[] }[] };
  return [
    ...rules.groups.flatMap(({ rules: all }) => all.map(({ alert, expr }) => ({ place: alert, expr }))),
    ...board.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ place: title, expr }))),
  ];
}

/** Labels of each metric on the pages that Prometheus scrapes. */
async function printed(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const identity = { app: 'ratings', lane: 'blue', service: 'any', revision: 'a'.repeat(64) } as const;
  const proxy = new ProxyMetrics(identity, () => 0);
  proxy.answered(200, 3);
  const rating = openMetrics(identity, { inFlight: () => new Map([['ratings-blue', 1]]) });
  for (const count of ['terminated', 'redelivered'] as const) rating[count]('ratings-blue');
  rating.acked('ratings-blue', 3);
  rating.handled('get.ratings', 200, 0.1);
  const vitals = newVitals();
  vitals.decisions.set('ratings', new Map([['rolledBack', 1]]));
  vitals.held.set('ratings', 'capacity');
  vitals.blindness.unseen('ratings', 'metrics', Date.now(), 0);
  await using admin = await openAdmin(0, vitals);
  const controller = await (await fetch(`http://127.0.0.1:${admin.port}/metrics`)).text();
  const pages = [await proxy.exposition(), await rating.text(), controller];
  const metrics = new Map<string, Set<string>>();
  for (const [, name = '', labels = ''] of pages.join('\n').matchAll(/^([a-z_]+)(?:\{(.*)\})? \S+$/gm)) {
    const known = metrics.get(name) ?? new Set<string>();
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label);
    metrics.set(name, known);
  }
  return metrics;
}

/** What the monitors of the role add to each series. */
const added = ['namespace', 'app', 'lane', 'service'];

describe('what the role observability asks of Prometheus', () => {
  test('names metrics that our pages print, and labels that they have', async () => {
    const metrics = await printed();

    for (const { place, expr } of expressions()) {
      const names = [...expr.matchAll(/\b(headgate_\w+)(?:\{(.*?)\})?/g)];
      const known = new Set([...added, ...names.flatMap(([, name = '']) => [...(metrics.get(name) ?? [])])]);
      const asked = [
        ...names.flatMap(([, , matchers = '']) => [...matchers.matchAll(/(\w+)=/g)].map(([, label]) => label)),
        ...[...expr.matchAll(/by \((.*?)\)/g)].flatMap(([, labels = '']) => labels.split(', ')),
      ];

      expect([place, names.length > 0]).toEqual([place, true]);
      expect([place, names.filter(([, name = '']) => !metrics.has(name)).map(([, name]) => name)]).toEqual([place, []]);
      expect([place, asked.filter((label) => !known.has(label ?? ''))]).toEqual([place, []]);
    }
  });

  test('adds the labels that its expressions take for granted', () => {
    const monitors = readFileSync(join(files, '../templates/operator.yml.j2'), 'utf8');
    const given = [...monitors.matchAll(/targetLabel: (\w+)/g)].map(([, label]) => label);

    expect(['namespace', ...given]).toEqual(added); // The operator itself adds the namespace.
  });
});

test.each([
  { service: 'proxy', openLog: openProxyLog },
  { service: 'rating', openLog: openRatingLog },
])('a line of $service is JSON that says who speaks, and its pods tell Filebeat so', ({ service, openLog }) => {
  const identity = { app: 'ratings', lane: 'blue', service, revision: 'a'.repeat(64) };
  const lines: string[] = [];

  openLog(identity, (line) => lines.push(line) > 0)('started');

  expect(lines.map((line) => JSON.parse(line))).toEqual([expect.objectContaining({ event: 'started', ...identity })]);
  const manifest = readFileSync(
    join(import.meta.dirname, '../../services', service, 'deploy/base/deployment.yaml'),
    'utf8',
  );
  expect(manifest).toContain('co.elastic.logs/json.keys_under_root: "true"');
});
