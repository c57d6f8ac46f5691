import { edit } from '../src/demo/versions.ts';
import { acted, failures, git, type Ran } from './from-sources.ts';
import { commit, deliver, type Hosts, handler, type OpenHosts } from './hosts.ts';
import type { Report } from './report.ts';
import type { OpenStage } from './stage.ts';

/** Results of pure steps go through the registry, so that another host finds them. */
const env = { HEADGATE_CACHE_KEY: 'a secret that the hosts share' };

/** `headgate run deliver` is killed -9 at random moments; another host ends it, does each effect once and repeats nothing that others can see done. */
export async function killedDelivery(
  report: Report,
  runs: number,
  _open: OpenStage,
  openHosts: OpenHosts,
): Promise<void> {
  await using hosts = await openHosts('k');
  await deliver(hosts.a, { env });
  await edit(hosts.a, { file: handler, find: 'const LIMIT_DEFAULT = 100;', replace: 'const LIMIT_DEFAULT = 101;' });
  await commit(hosts.a, 'to see how long it takes');
  const whole = await deliver(hosts.a, { env });
  report.check(`a delivery that nobody kills takes ${whole.ms} ms`, whole.code === 0, failures(whole));
  for (let run = 0; run < runs; run++)
    await trial(report, hosts, { limit: 101 + run, afterMs: Math.random() * whole.ms });
}

type Trial = { readonly limit: number; readonly afterMs: number };

async function trial(report: Report, { a, b, head }: Hosts, { limit, afterMs }: Trial): Promise<void> {
  await edit(a, {
    file: handler,
    find: `const LIMIT_DEFAULT = ${limit};`,
    replace: `const LIMIT_DEFAULT = ${limit + 1};`,
  });
  const id = await commit(a, `limit ${limit + 1}`);
  await git(b, 'pull', '--quiet');
  const killed = await deliver(a, { env, killed: AbortSignal.timeout(Math.round(afterMs)) });
  const next = await deliver(b, { env });
  const { history, live, lanes } = await head();
  const releases = history.filter((one) => one.commit === id).map(({ outcome }) => outcome);
  const twice = repeated(killed, next);
  const isEnded = next.code === 0 && live !== undefined && lanes[live]?.commit === id;
  const told = `${Math.round(afterMs)} ms; first: ${acted(killed)}; then: ${acted(next)}; releases: ${releases.join()} ${failures(next)}`;
  report.check(
    'killed, and ended by another host',
    isEnded && releases.join() === 'promoted' && twice === '',
    `${twice}${told}`,
  );
}

/** Another host makes images anew, byte for byte: they are too large for the cache, and quickly made. */
function repeated(killed: Ran, next: Ran): string {
  const again = new Set(acted(next).split(' '));
  const both = acted(killed)
    .split(' ')
    .filter((step) => step !== '' && !step.startsWith('image:') && again.has(step));
  return both.length === 0 ? '' : `repeated ${both.join()}; `;
}
