import { lanes, openPlatform, type Platform } from '@headgate/rollout';
import type { Exchange } from '../src/perf/open-loop.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage, Stage } from './stage.ts';

/** What is asked at one weight. */
type Asked = { readonly weight: number; readonly requests: number; readonly perSecond: number };

/** The observed split of HTTP and of messages handled, at each weight: one request off is what round robin may be. */
export async function split(report: Report, _scope: Scope, open: OpenStage): Promise<void> {
  await using stage = await open('  steps: [5%, 25%, 50%]\n  bake: 90m\n  watch: 1s\n  keepWarm: 1m\n');
  await stage.release('v1');
  await using ports = await openPlatform(stage.spec, {
    state: stage.state,
    signal: new AbortController().signal,
    say: () => {},
  });
  const images = await stage.images('v2');
  const releasing = stage.start('release', ...images, '--reason', 'split');
  for (const [step, weight] of [5, 25, 50].entries()) {
    if (step > 0) await stage.run('step');
    await stage.until(({ release }) => release?.state.phase.kind === 'holding' && release.state.phase.step === step);
    await atWeight(stage, ports, { weight, requests: 5_000, perSecond: 400 }, report);
  }
  await stage.run('rollback');
  report.check('the release is rolled back by hand', (await releasing.ended).code === 11);
}

/** Nobody else asks meanwhile. @returns what was asked */
export async function atWeight(
  stage: Pick<Stage, 'load'>,
  ports: Platform,
  { weight, requests, perSecond }: Asked,
  report: Report,
): Promise<readonly Exchange[]> {
  const before = await delivered(ports);
  const load = stage.load(perSecond);
  await new Promise((resolve) => setTimeout(resolve, (1_000 * requests) / perSecond));
  const exchanges = await load.stop();
  const after = await delivered(ports);
  const http = exchanges.filter(({ lane }) => lane === 'green').length;
  const messages = after.green - before.green;
  const all = after.green + after.blue - before.green - before.blue;
  const off = Math.abs(http - (exchanges.length * weight) / 100);
  const offMessages = Math.abs(messages - (all * weight) / 100);
  report.check(`${weight} %: HTTP within one request`, off <= 1, `${http} of ${exchanges.length}`);
  report.check(
    `${weight} %: messages handled within one`,
    offMessages <= 1 && all === exchanges.length,
    `${messages} of ${all}`,
  );
  return exchanges;
}

async function delivered(ports: Platform): Promise<{ blue: number; green: number }> {
  const signal = AbortSignal.timeout(5_000);
  const [blue = 0, green = 0] = await Promise.all(
    lanes.map(async (lane) => (await ports.queue?.observe(lane, signal))?.consumers['rating']?.deliveredConsumerSeq),
  );
  return { blue, green };
}
