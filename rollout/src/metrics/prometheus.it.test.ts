import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { lanes, type PerLane } from '../lane.ts';
import { describeMetrics } from './metrics.contract.ts';
import type { Metrics } from './metrics.ts';
import { startPrometheus } from './prometheus.rig.ts';
import { openPrometheusMetrics } from './prometheus.ts';
import { counted, type ProxiesRig, startProxies } from './proxies.rig.ts';
import { proxyCounts } from './proxies.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
const addresses: PerLane<string> = { blue: '127.0.0.61', green: '127.0.0.62' };
const selector =
  '{__name__=~"headgate_info|headgate_requests_total|headgate_clients_gone_total|process_start_time_seconds",job="lanes"}';

let proxies: ProxiesRig;
let prometheus: Awaited<ReturnType<typeof startPrometheus>>;

beforeAll(async () => {
  proxies = await startProxies('ratings', addresses);
  prometheus = await startPrometheus(lanes.map((lane) => `${addresses[lane]}:${proxies.adminPort}`));
}, 180_000);
afterAll(async () => {
  await prometheus?.[Symbol.asyncDispose]();
  await proxies?.[Symbol.asyncDispose]();
});

const open = (changed: { readonly selector?: string; readonly url?: string } = {}): Metrics =>
  openPrometheusMetrics({ url: prometheus.url, selector, countsIn: proxyCounts('ratings'), ageMaxS: 3, ...changed });

/** Once both lanes were scraped. */
async function seen(metrics: Metrics): Promise<Metrics> {
  for (const lane of lanes) {
    for (const within = signal(); ; within.throwIfAborted()) {
      const found = await fetch(`${prometheus.url}/api/v1/query?query=headgate_info{lane="${lane}"}`);
      if ((await found.text()).includes('"value"')) break;
    }
  }
  await metrics.observe(signal());
  return metrics;
}

describeMetrics(
  'prometheus',
  async () => {
    const metrics = await seen(open());
    return {
      metrics,
      request: (lane, _, outcome) => counted(metrics, lane, () => proxies.request(lane, outcome)),
      async restart() {
        const { epoch } = await metrics.observe(signal());
        await proxies.restart();
        // Until the new ones were scraped; for a while nobody may have been.
        const now = (within: AbortSignal) =>
          metrics.observe(within).then(
            (found) => found.epoch,
            () => epoch,
          );
        for (const within = signal(); (await now(within)) === epoch; ) within.throwIfAborted();
      },
      async [Symbol.asyncDispose]() {},
    };
  },
  { tellPinned: 'a proxy does not know why a request came to its lane' },
);

describe('prometheus in trouble', () => {
  test('is METRICS_UNREACHABLE when nothing was scraped lately, when it refuses the query, and when it does not answer', async () => {
    const metrics = await seen(open());
    const unreachable = { code: 'METRICS_UNREACHABLE', hint: expect.any(String) };

    await expect(open({ selector: '{job="nobody"}' }).observe(signal())).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringContaining('nothing scraped in the last 3 s'),
    });
    await expect(open({ selector: '{' }).observe(signal())).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringContaining('parse error'),
    });
    await prometheus.freeze();
    const frozen = metrics.observe(signal());
    await expect(frozen.finally(() => prometheus.goOn())).rejects.toMatchObject(unreachable);
    await expect(open({ url: 'http://127.0.0.1:1' }).observe(signal())).rejects.toMatchObject(unreachable);
  });
});
