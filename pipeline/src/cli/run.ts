import { HeadgateError } from '@headgate/rollout';
import { type Target, targets } from '../deploy/delivery.ts';
import { requireHistory } from '../host/git.ts';
import type { CiHost } from '../host/host.ts';
import type { PlannedStep } from '../plan.ts';
import { formatPlan } from '../report/lines.ts';
import type { EndedRelease } from '../report/release.ts';
import { planSummary } from '../report/summary.ts';
import { type Delivery, deliver, planDelivery } from './deliver.ts';
import { tell } from './ending.ts';
import { type App, appOptions, openApp, openEnvironment, openHostOf, openPorts } from './open.ts';
import { presenter } from './present.ts';
import { count, flag, type Shell, type Subcommand, text } from './shell.ts';
import { reportersOf, tellBegun, tellRun } from './told-run.ts';

export const command: Subcommand = {
  usage: 'check|images|publish|staging|perf|production|deliver [--plan] [--from <step>] [--only <step>]',
  help: 'Runs a target and everything before it: check, images (build and image test), publish, staging and perf where headgate.yaml has that environment, production. What has not changed is not done again.',
  options: {
    ...appOptions,
    plan: { type: 'boolean', help: 'say what would be done, and why; start and do nothing' },
    from: {
      type: 'string',
      help: 'a step: what it needs must be done already and is left alone; it and the rest of the target are run',
    },
    only: { type: 'string', help: 'a step: the same, and it alone is run' },
    'skip-check': { type: 'boolean', help: 'leave out lint and unit tests' },
    'hand-over': {
      type: 'boolean',
      help: 'leave the release to the controller once it has begun, for `headgate wait --release`; without a controller this command drives it to its end',
    },
    approve: { type: 'boolean', help: 'say yes to the release, as one of the approvers that headgate.yaml names' },
    reason: { type: 'string', help: 'one sentence for the record' },
    concurrency: {
      type: 'string',
      help: 'steps at a time (default the cores that this machine, or its container, may use)',
    },
  },
  positionals: { min: 1, max: 1 },
  async run(call, shell) {
    const target = call.positionals[0] ?? '';
    if (!isTarget(target)) {
      throw new HeadgateError('USAGE', `Cannot run "${target}" as the target must be one of ${targets.join(', ')}`, {
        hint: 'run `headgate run --help`',
      });
    }
    const environment = text(call, 'environment');
    const app = await openApp(call, shell);
    const host = await openHostOf(app, shell);
    const json = flag(call, 'json');
    if (!flag(call, 'plan')) await host.begin();
    const staging = environment === 'staging' ? undefined : await openEnvironment(call, 'staging', shell);
    if (ofStaging.has(target) && staging === undefined && environment !== 'staging') {
      await tellNothing(host, { target, json, isPlan: flag(call, 'plan') }, app, shell);
      return 0;
    }
    if (releasing.has(target) && !flag(call, 'plan')) await requireHistory(app.folder, shell.signal);
    const ended: EndedRelease[] = [];
    let begun: number | undefined;
    const teller = { app, host, shell };
    const onBegun = (release: number) => {
      begun = release;
      return tellBegun(release, teller);
    };
    const delivery = {
      onBegun: flag(call, 'hand-over') ? onBegun : undefined,
      onEnd: (one: EndedRelease) => void ended.push(one),
      app,
      host,
      check: !flag(call, 'skip-check'),
      approve: flag(call, 'approve'),
      reason: text(call, 'reason'),
      concurrency: count(call, 'concurrency'),
      part: { from: text(call, 'from'), only: text(call, 'only') },
      staging,
    };
    if (flag(call, 'plan')) {
      const planned = await showPlan(delivery, target, json, shell);
      // A plan leaves no file: only a page that the host keeps by itself gets it.
      if (host.kind === 'github') await host.summarize(planSummary(planned, app.values));
      return 0;
    }
    // Neither asks anything of the cluster.
    const isHere = target === 'check' || target === 'images';
    await using ports = isHere ? undefined : await openPorts(app, shell);
    const { reporters, record } = reportersOf(teller, { target, json });
    const result = await deliver(delivery, target, { ports, emit: presenter(shell, json), reporters }, shell);
    await tellRun({ target, what: target, record: record(), result, ended, begun }, teller);
    return result.exitCode;
  },
};

/** Targets that end in a release, which must know how commits follow each other. */
const releasing: ReadonlySet<Target> = new Set(['staging', 'perf', 'production', 'deliver']);

/** Apply where headgate.yaml has that environment. */
const ofStaging: ReadonlySet<Target> = new Set(['staging', 'perf']);

/** A workflow that asks for every target in its turn goes on; whoever asked by hand learns why nothing came of it. */
async function tellNothing(
  host: CiHost,
  { target, json, isPlan }: { readonly target: Target; readonly json: boolean; readonly isPlan: boolean },
  app: App,
  shell: Shell,
): Promise<void> {
  const text = 'nothing to do: headgate.yaml has no environment "staging"';
  if (isPlan) return shell.out(json ? '[]\n' : `${text}\n`);
  shell.out(json ? `${JSON.stringify({ kind: 'warning', message: text })}\n` : `${text}\n`);
  shell.err(`to release there before production, add \`environments: { staging: {} }\`\n`);
  await host.output({ target, outcome: 'done', 'exit-code': '0' });
  const { commit, dirty } = await host.change(shell.signal);
  const told = { what: target, exitCode: 0, text, commit: dirty ? undefined : commit, release: undefined };
  await tell({ ...told, byDriver: false }, app, { host, shell });
}

export async function showPlan(
  delivery: Delivery,
  target: Target,
  json: boolean,
  shell: Shell,
): Promise<readonly PlannedStep[]> {
  const planned = await planDelivery(delivery, target, shell);
  shell.out(
    json
      ? `${JSON.stringify(planned)}\n`
      : formatPlan(planned)
          .map((line) => `${line}\n`)
          .join(''),
  );
  return planned;
}

function isTarget(word: string): word is Target {
  return (targets as readonly string[]).includes(word);
}
