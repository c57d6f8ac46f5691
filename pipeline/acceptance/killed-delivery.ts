import { randomUUID } from 'node:crypto';
import { edit } from '../src/demo/versions.ts';
import { git } from '../src/host/git.rig.ts';
import { acted, failures, type Ran, type Where } from './from-sources.ts';
import { commit, deliver, type Hosts, handler, type OpenHosts } from './hosts.ts';
import type { Report } from './report.ts';
import { casesOf, type Scope } from './scope.ts';
import type { OpenStage } from './stage.ts';

/** Results of pure steps go through the registry, so that another host finds them; those of an earlier play, signed by another key, are none. */
const env = { HEADGATE_CACHE_KEY: randomUUID() };

/**
 * `headgate run deliver` is killed -9 where each step begins and ends, and at random moments; another host ends it, does each effect once and
 * repeats nothing that others can see done.
 */
export async function killedDelivery(
  report: Report,
  { runs, share }: Scope,
  _open: OpenStage,
  openHosts: OpenHosts,
): Promise<void> {
  await using hosts = await openHosts('k');
  await deliver(hosts.a, { env });
  await edit(hosts.a, limitOf(101));
  await commit(hosts.a, 'to see how long it takes');
  const { ran: whole, effects } = await audited(hosts, () => deliver(hosts.a, { env }));
  const told = `${failures(whole)} ${effects}`;
  report.check(`a delivery that nobody kills takes ${whole.ms} ms`, whole.code === 0, told);
  const random = Array.from({ length: runs }, () => after(Math.random() * whole.ms));
  const moments = casesOf([...boundaries(whole), ...random], share);
  for (const [k, moment] of moments.entries()) await trial(report, hosts, { limit: 102 + k, moment, effects });
}

/** With what it did to the app, where that is counted: by the audit log, and by how often pods were replaced. */
async function audited<T>(
  { effects, rolled }: Hosts,
  act: () => Promise<T>,
): Promise<{ readonly ran: T; readonly effects: string }> {
  const [from, before] = [Date.now(), await rolled?.()];
  const ran = await act();
  const [done, after] = [await effects?.(from, Date.now()), await rolled?.()];
  const rolls = before === undefined || after === undefined ? [] : [`${after - before} rolls`];
  return { ran, effects: [...(done ?? []), ...rolls].join(', ') };
}

type Moment = { readonly name: string; readonly kill: () => Pick<Where, 'killed' | 'killedAt'> };

/** Where each step that did something began and ended. */
function boundaries(whole: Ran): readonly Moment[] {
  return whole.events
    .filter(({ kind, acted: did }) => kind === 'step.start' || (kind === 'step.done' && did === true))
    .map(({ kind, step }) => ({
      name: `at ${kind} of ${step}`,
      kill: () => ({ killedAt: (event) => event['kind'] === kind && event['step'] === step }),
    }));
}

function after(ms: number): Moment {
  const whole = Math.round(ms);
  return { name: `after ${whole} ms`, kill: () => ({ killed: AbortSignal.timeout(whole) }) };
}

function limitOf(limit: number) {
  const to = (value: number) => `const LIMIT_DEFAULT = ${value};`;
  return { file: handler, find: to(limit - 1), replace: to(limit) };
}

/** `effects`: those of a delivery that nobody disturbs. */
type Trial = { readonly limit: number; readonly moment: Moment; readonly effects: string };

async function trial(report: Report, hosts: Hosts, { limit, moment, effects }: Trial): Promise<void> {
  const { a, b, head } = hosts;
  await edit(a, limitOf(limit));
  const id = await commit(a, `limit ${limit}`);
  await git(b, 'pull', '--quiet');
  const { ran, effects: done } = await audited(
    hosts,
    async () => [await deliver(a, { env, ...moment.kill() }), await deliver(b, { env })] as const,
  );
  const [killed, next] = ran;
  const { history, live, lanes } = await head();
  const releases = history.filter((one) => one.commit === id).map(({ outcome }) => outcome);
  const twice = repeated(killed, next);
  const isEnded = next.code === 0 && live !== undefined && lanes[live]?.commit === id;
  const told = `first: ${acted(killed)}; then: ${acted(next)}; releases: ${releases.join()}; ${done} ${failures(next)}`;
  report.check(
    `killed ${moment.name}, and ended by another host`,
    isEnded && releases.join() === 'promoted' && twice === '' && done === effects,
    `${twice}${told}`,
  );
}

function repeated(killed: Ran, next: Ran): string {
  const again = new Set(acted(next).split(' '));
  const both = acted(killed)
    .split(' ')
    .filter((step) => step !== '' && again.has(step));
  return both.length === 0 ? '' : `repeated ${both.join()}; `;
}
