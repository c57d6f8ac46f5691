import { userInfo } from 'node:os';
import type { Gate } from '@headgate/rollout';
import { edit } from '../src/demo/versions.ts';
import { acted, type Event, failures, headgate, type Ran } from './from-sources.ts';
import { commit, deliver, type Hosts, handler, type OpenHosts, stateOf } from './hosts.ts';
import { actedIn, jobsInOrder } from './jobs.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage } from './stage.ts';
import { aWorkspace, playJob } from './through-ci.ts';

/** Half as many requests as by default, as both environments stand on the same machine. A quarter slower counts as equal, four times is not. */
const perf = 'perf: { perSecond: 500, tolerance: 25%, tolerance99: 50% }\n';
const limits = 'limits at 500 requests/s: ';
const answers = { file: 'services/rating/src/dispatch.ts', find: 'store: RatingRepository): Promise<Reply> {\n' };
const slower = `${answers.find}  await new Promise((resolve) => setTimeout(resolve, 10));\n`;
const undecidedMax = 1;

/**
 * One delivery through every target, with both environments: what is slower, and what an approver has said no to, comes as far as staging
 * and leaves production alone.
 */
export async function wholeChain(report: Report, _scope: Scope, _open: OpenStage, openHosts: OpenHosts): Promise<void> {
  await using hosts = await openHosts('w', '{ watch: 1s, keepWarm: 5s }');
  const { a } = hosts;
  // A lane that is let go meanwhile would be a change of production, too.
  await edit(a, { file: 'headgate.yaml', find: 'watch: 3s, keepWarm: 5m', replace: 'watch: 3s, keepWarm: 2h' });
  const first = await aWorkspace(a, `approvers: [${JSON.stringify(userInfo().username)}]\n${perf}`);
  const ran = await headgate({ cwd: a, env: person }, 'run', 'deliver', '--approve', '--json');
  report.check('the first commit is delivered to staging and production', ran.code === 0, failures(ran));
  report.check('and is live in both', (await liveIn(hosts)) === `${first} ${first}`);
  report.check('there was nothing to compare it with', !ran.events.some(({ step }) => step === 'perf'));
  sayTime(report, [ran]);
  if (ran.code !== 0) return;
  await approved(report, hosts);
  await tooSlow(report, hosts);
}

/** At the keyboard, on whatever machine this is played. */
const person = { HEADGATE_HOST: 'local' };

/** It stops once to be approved; a no is a no, until somebody thinks again. */
async function approved(report: Report, hosts: Hosts): Promise<void> {
  const { a } = hosts;
  const production = await stateOf(hosts);
  const other = `const LIMIT_DEFAULT = 100 + 0 * Number('${Date.now()}');`; // Nobody has tested or measured it yet.
  await edit(a, { file: handler, find: 'const LIMIT_DEFAULT = 100;', replace: other });
  const id = await commit(a, 'another version');
  const runs = await untilDecided(report, a);
  const [last, events] = [runs.at(-1), runs.flatMap((one) => one.events)];
  const did = runs.map(acted).filter(Boolean).join(' ');
  report.check(
    'the next one stops with 20 when all targets before production are done',
    last?.code === 20,
    last?.code === 20 ? '' : told(last),
  );
  report.check('each was done, once', did === 'check image:rating imagetest:rating publish staging perf', did);
  await stagingFirst(report, hosts, { events, id });
  const gates = gatesOf(last?.events ?? []);
  const bad = gates.filter(({ outcome }) => outcome !== 'passed');
  report.check(
    'the gate measured, by the limits of headgate.yaml, and passed every rule',
    gates.length > 0 && bad.length === 0 && measured(last?.events ?? []),
    words(bad),
  );
  const again = await playJob(a, 'run perf --skip-check');
  const idle = (await actedIn(a)).join();
  report.check(
    "the workflow's own line finds it done",
    again.code === 0 && idle === '',
    again.code === 0 ? idle : again.all.slice(-2_000),
  );

  const revision = /headgate approve ([0-9a-f]{64})/.exec(last === undefined ? '' : failures(last))?.[1] ?? '';
  const say = (...args: string[]) =>
    headgate({ cwd: a, env: person }, 'approve', revision, '--reason', 'acceptance', ...args);
  const produce = () => headgate({ cwd: a, env: person }, 'run', 'production', '--json');
  const denied = [await say('--deny'), await produce()].map(({ code }) => code).join();
  report.check('an approver says no, and production exits 20', denied === '0,20', denied);
  report.check(
    'production is untouched: journal and instances are what they were',
    (await stateOf(hosts)) === production,
  );
  const yes = await say();
  const released = await produce();
  report.check(
    'an approver says yes, and production exits 0',
    yes.code === 0 && released.code === 0,
    `${yes.code} ${told(released)}`,
  );
  sayTime(report, [released]);
  report.check('the release is all that was left to do', acted(released) === 'release', acted(released));
  const { history } = await hosts.head();
  const ended = history.map(({ commit: of, outcome }) => `${of === id} ${outcome}`).join();
  report.check(
    'it is promoted, and live in both',
    ended === 'false promoted,true promoted' && (await liveIn(hosts)) === `${id} ${id}`,
    ended,
  );
}

/** By the lines of the workflow as far as staging; the delivery goes on from there. */
async function tooSlow(report: Report, hosts: Hosts): Promise<void> {
  const { a } = hosts;
  const production = await stateOf(hosts);
  const live = (await liveIn(hosts)).split(' ')[1];
  await edit(a, { ...answers, replace: slower });
  const id = await commit(a, 'slower');
  const did: string[] = [];
  for (const [name, job] of await jobsInOrder()) {
    if (name === 'perf') break;
    const { code, all } = await playJob(a, job.with.args);
    report.check(`job ${name} of a slower version ends with 0`, code === 0, code === 0 ? '' : all.slice(-2_000));
    did.push(`${name}: ${(await actedIn(a)).join(' ')}`);
  }
  report.check(
    'each does its own part',
    did.join('; ') === 'check: check; images: image:rating imagetest:rating; publish: publish; staging: staging',
    did.join('; '),
  );
  const runs = await untilDecided(report, a);
  const last = runs.at(-1);
  report.check(
    'the delivery goes on from there, and exits 1',
    last?.code === 1 && runs.map(acted).join('') === '',
    told(last),
  );
  const events = last?.events ?? [];
  const failed = events.flatMap(({ kind, step }) => (kind === 'step.fail' ? [step] : [])).join();
  const bad = gatesOf(events).filter(({ outcome }) => outcome === 'failed');
  report.check(
    'the gate stops it, as it is slower',
    failed === 'perf' && bad.some(({ name }) => name === 'p50'),
    `${failed}: ${words(bad)}`,
  );
  report.check('staging has it, and production what was live', (await liveIn(hosts)) === `${id} ${live}`);
  report.check(
    'production is untouched: journal and instances are what they were',
    (await stateOf(hosts)) === production,
  );
}

/** On a machine that others share the gate may not be able to tell, and says so: then the delivery is run again, as a person would. */
async function untilDecided(report: Report, a: string): Promise<readonly Ran[]> {
  const runs: Ran[] = [];
  do {
    runs.push(await deliver(a, { env: person }));
    if (runs.at(-1)?.code === 10) report.say(`the gate cannot tell: ${told(runs.at(-1))}`);
  } while (runs.at(-1)?.code === 10 && runs.length <= undecidedMax);
  sayTime(report, runs);
  return runs;
}

function sayTime(report: Report, runs: readonly Ran[]): void {
  report.say(`it takes ${runs.map(({ ms }) => `${Math.round(ms / 1_000)} s`).join(', then ')}`);
}

async function stagingFirst(
  report: Report,
  { stagingHead }: Hosts,
  { events, id }: { events: readonly Event[]; id: string },
): Promise<void> {
  const ended = (await stagingHead?.())?.history.at(-1);
  const begun = Number(events.find(({ kind, step }) => kind === 'step.start' && step === 'perf')?.['at']);
  report.check(
    'staging had promoted its commit before the gate began',
    ended?.commit === id && ended.outcome === 'promoted' && ended.endedAt <= begun,
    `${ended?.text}, ${begun - (ended?.endedAt ?? 0)} ms before`,
  );
}

/** Commits: of staging, then of production. */
async function liveIn({ head, stagingHead }: Hosts): Promise<string> {
  const heads = [await stagingHead?.(), await head()];
  return heads.map((one) => (one?.live === undefined ? 'none' : one.lanes[one.live]?.commit)).join(' ');
}

function gatesOf(events: readonly Event[]): readonly Gate[] {
  return events.flatMap(({ kind, step, gate }) => (kind === 'gate' && step === 'perf' ? [gate as Gate] : []));
}

function measured(events: readonly Event[]): boolean {
  return events.some(({ step, line }) => step === 'perf' && String(line).startsWith(limits));
}

function words(gates: readonly Gate[]): string {
  return gates.map(({ outcome, text }) => `${outcome}: ${text}`).join('; ');
}

function told(ran: Ran | undefined): string {
  if (ran === undefined) return 'never ran';
  return `${ran.code} ${failures(ran)} ${acted(ran)}`;
}
