import { setTimeout as sleep } from 'node:timers/promises';
import { type Head, openPlatform } from '@headgate/rollout';
import type { Exchange } from '../src/perf/open-loop.ts';
import { type ClusterStage, onCluster } from './cluster/stage.ts';
import { checkOutside } from './outside.ts';
import { releaseFirst } from './releasing.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import { atWeight } from './split.ts';
import type { OpenStage } from './stage.ts';

/** A lane at weight 0 is closed when its counters have stood still for so long. */
const stillMs = 2_000;
/** This reader looks at the journal five times a second. */
const lookMs = 200;
/** For so long one watches what users get beside a lane that nobody is in. */
const besideMs = 3_000;

/**
 * Whole releases through the canary annotations of ingress-nginx, as the test cluster's gateway honours them: a good version is promoted, a
 * bad one goes back, and whatever stands behind the other Ingress, users of live do not notice.
 */
export async function ingress(report: Report, _scope: Scope, open: OpenStage): Promise<void> {
  await using stage = onCluster(
    await open('  latency: rollback\n  steps: [25%, 50%]\n  bake: 6s\n  watch: 3s\n  keepWarm: 10m\n', 'ingress-nginx'),
  );
  using ingresses = stage.watch(['get', 'ingresses', '-o', said]);
  await releaseFirst(stage, report);
  const asked = await goodRelease(stage, report);
  report.check('main and canary change places in their order', inOrder(ingresses.text()), statesIn(ingresses.text()));
  const load = stage.load(100);
  await emptied(stage, report, load.exchanges);
  await badRelease(stage, report, load.exchanges);
  const stop = async () => [...asked, ...(await load.stop())];
  await checkOutside({ ...stage, load: { stop } }, report);
}

/** Held at its first weight while the share is counted: nobody else may ask then. @returns all that users asked */
async function goodRelease(stage: ClusterStage, report: Report): Promise<readonly Exchange[]> {
  await using ports = await openPlatform(stage.spec, {
    state: stage.state,
    signal: new AbortController().signal,
    say: () => {},
  });
  const first = stage.load(100);
  const releasing = stage.start('release', ...(await stage.images('v2')), '--reason', 'good');
  await stage.until(({ release }) => release?.reason === 'good' && release.state.phase.kind === 'holding');
  await stage.run('hold');
  const before = await first.stop();
  const counted = await atWeight(stage, ports, { weight: 25, requests: 2_000, perSecond: 200 }, report);
  const second = stage.load(100);
  await stage.run('resume');
  const { code, out, err } = await releasing.ended;
  report.check('a good version is promoted', code === 0, code === 0 ? '' : `${out} ${err}`);
  const { decisions, release } = await stage.head();
  const own = decisions.filter((one) => one.release === release?.id);
  const when = (kind: string) => own.find(({ after }) => after.phase.kind === kind)?.look.now ?? Number.NaN;
  report.say(`from the decision to the confirmed promotion ${when('watching') - when('promoting')} ms`);
  return [...before, ...counted, ...(await second.stop())];
}

/** Its proxies are taken away by hand: of the former live lane, which the canary leads to. */
async function emptied(stage: ClusterStage, report: Report, exchanges: readonly Exchange[]): Promise<void> {
  const { live } = await stage.head();
  const former = live === 'blue' ? 'green' : 'blue';
  await stage.kubectl(['delete', 'hpa', '--selector', `headgate.dev/lane=${former}`]);
  await stage.kubectl(['scale', 'deployment', `ratings-${former}-proxy`, '--replicas=0']);
  await checkBeside(stage, report, exchanges);
}

async function badRelease(stage: ClusterStage, report: Report, exchanges: readonly Exchange[]): Promise<void> {
  const bad = await stage.images('answers 500 after 15 s');
  const releasing = stage.start('release', ...bad, '--reason', 'bad');
  const { release } = await stage.until(
    (head) => head.release?.reason === 'bad' && head.release.state.phase.kind === 'holding',
  );
  await stage.run('hold');
  const going = await stage.until((head) => head.release?.state.phase.kind === 'rollingBack');
  await stage.until((head) => !isClosing(head));
  const confirmed = Date.now();
  const decided = going.release?.state.phase.since ?? Number.NaN;
  report.say(`from the decision to the confirmed weight 0 ${confirmed - decided} ms`);
  const { code, out, err } = await releasing.ended;
  report.check('a bad version is rolled back', code === 11, code === 11 ? '' : `${out} ${err}`);
  const last = exchanges.filter(({ lane }) => lane === release?.candidate).map(({ at }) => at);
  const before = Math.round(confirmed - Math.max(...last));
  report.check(
    `no request has reached the candidate in the ${stillMs} ms before weight 0 was confirmed`,
    before > stillMs - lookMs,
    `the last of ${last.length} was ${before} ms before`,
  );
  await checkBeside(stage, report, exchanges);
}

function isClosing({ release }: Head): boolean {
  const phase = release?.state.phase;
  return phase?.kind === 'rollingBack' && phase.stage === 'closing';
}

/** Once nobody is behind the lane that is not live. */
async function checkBeside(stage: ClusterStage, report: Report, exchanges: readonly Exchange[]): Promise<void> {
  const { live = 'nobody' } = await stage.head();
  const other = live === 'blue' ? 'green' : 'blue';
  const selector = `kubernetes.io/service-name=ratings-${other}`;
  const find = () => stage.kubectl(['get', 'endpointslices', '--selector', selector, '-o', addresses]);
  for (const end = Date.now() + 30_000; Date.now() < end && (await find()) !== ''; ) await sleep(lookMs);
  const from = Date.now();
  await sleep(besideMs);
  const seen = exchanges.filter(({ at }) => at >= from);
  const strange = seen.filter(({ status, lane }) => lane !== live || status === undefined || status >= 400);
  const isEmpty = (await find()) === '';
  report.check(
    `${other} at weight 0 without endpoints changes nothing for ${live}`,
    isEmpty && seen.length > 0 && strange.length === 0,
    isEmpty ? `${seen.length} requests, ${strange.length} not answered by ${live}` : await find(),
  );
}

const addresses = 'jsonpath={.items[*].endpoints[*].addresses[0]}';

const said =
  'jsonpath={.metadata.name} {.spec.rules[0].http.paths[0].backend.service.name} {.metadata.annotations.nginx\\.ingress\\.kubernetes\\.io/canary-weight}{"\\n"}';

/** What main and canary said, one state after the other: `<main's lane> <canary's lane> <weight>`. */
function statesIn(text: string): string {
  let [main, canary] = ['', ''];
  const states = text.split('\n').flatMap((line) => {
    const [name = '', service = '', weight = ''] = line.split(' ');
    if (name === 'ratings') main = service.replace('ratings-', '');
    if (name === 'ratings-canary') canary = `${service.replace('ratings-', '')} ${weight}`;
    return main === '' || canary === '' ? [] : [`${main}, ${canary} %`];
  });
  return states.filter((one, i) => one !== states[i - 1]).join('; ');
}

/** Main has the new lane only when its canary has everything, and the canary leads elsewhere only when main has it. */
const order =
  'closed, green 0 %; blue, green 0 %; blue, green 25 %; blue, green 50 %; blue, green 100 %; green, green 100 %; green, blue 0 %';

function inOrder(text: string): boolean {
  return statesIn(text) === order;
}
