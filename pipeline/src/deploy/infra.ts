/** What stands beside the app and no release touches. It is applied, waited for, and only then do its Jobs run. */
import { setTimeout as sleep } from 'node:timers/promises';
import { duration, HeadgateError, isHeadgateError, type KubeObject } from '@headgate/rollout';
import type { Kubectl } from './kubectl.ts';
import { divided, type Job, type Part } from './once.ts';

export type PartPlan = {
  readonly part: string;
  /** `Deployment postgres`: not as it must be. */
  readonly set: readonly string[];
  /** `kubectl diff` of them. */
  readonly diff: string;
  /** Jobs that are not done yet. */
  readonly run: readonly { readonly job: Job; readonly state: 'absent' | 'running' | 'failed' }[];
  readonly standing: readonly KubeObject[];
};

const asHeadgate = ['--server-side', '--field-manager=headgate', '--filename=-'];

/** Changes nothing. @throws {HeadgateError} `MANIFESTS_INVALID`, `CLUSTER_UNREACHABLE`, `CLUSTER_REFUSED` */
export async function planPart(part: Part, kubectl: Kubectl): Promise<PartPlan> {
  const { standing, jobs } = divided(part);
  const diff =
    standing.length === 0 ? '' : await kubectl(['diff', ...asHeadgate], { input: listOf(standing), answers: [0, 1] });
  const looked = await Promise.all(jobs.map(async (job) => ({ job, state: await stateOf(job, kubectl) })));
  const run = looked.flatMap(({ job, state }) => (state === 'done' ? [] : [{ job, state }]));
  return {
    part: part.name,
    set: [...diff.matchAll(changed)].map(([, kind, name]) => `${kind} ${name}`),
    diff,
    run,
    standing,
  };
}

/** The head of one file in a diff: `…/apps.v1.Deployment.<namespace>.<name> …`. */
const changed = /^diff .*\/\S*?\.([A-Z]\w*)\.[a-z0-9-]*\.(\S+)$/gm;

export type Deploying = {
  readonly kubectl: Kubectl;
  /** For each rollout and each Job. */
  readonly timeoutMs: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
};

/** Safe to repeat. @throws {HeadgateError} `STEP_FAILED` with the last lines of what failed; as `planPart` */
export async function deployPart(plan: PartPlan, deploying: Deploying): Promise<void> {
  const { part, set, standing, run } = plan;
  const { kubectl, say } = deploying;
  if (set.length > 0) await kubectl(['apply', ...asHeadgate], { input: listOf(standing), say });
  for (const one of standing.filter(isRolledOut)) await untilRolledOut(part, one, deploying);
  for (const { job, state } of run) {
    const { name } = job.metadata;
    if (state === 'failed') await kubectl(['delete', 'job', name]); // Whoever repeats the command means that too.
    await kubectl(['apply', ...asHeadgate], { input: JSON.stringify(job) });
    say(`Job ${name} runs`);
    await untilDone(part, job, deploying);
    say(`Job ${name} is done`);
  }
}

type Workload = KubeObject & {
  readonly spec: { readonly selector: { readonly matchLabels?: Readonly<Record<string, string>> } };
};

function isRolledOut(object: KubeObject): object is Workload {
  return /^(Deployment|StatefulSet|DaemonSet)$/.test(object.kind ?? '');
}

async function untilRolledOut(part: string, { kind, metadata, spec }: Workload, deploying: Deploying): Promise<void> {
  const { kubectl, timeoutMs, say } = deploying;
  const { name } = metadata;
  try {
    await kubectl(['rollout', 'status', `${kind}/${name}`, `--timeout=${timeoutMs}ms`], {
      maxMs: timeoutMs + graceMs,
      say,
    });
  } catch (cause) {
    if (!isHeadgateError(cause) || cause.code === 'CLUSTER_UNREACHABLE') throw cause;
    const labels = Object.entries(spec.selector.matchLabels ?? {}).map((pair) => pair.join('='));
    throw await failed(part, `${kind} ${name} does not come up\n${cause.message}`, labels.join(','), kubectl);
  }
}

/** kubectl says by itself that the time is up. */
const graceMs = 10_000;
const lookEveryMs = 1_000;

async function untilDone(part: string, job: Job, { kubectl, timeoutMs, signal }: Deploying): Promise<void> {
  const { name } = job.metadata;
  for (const end = performance.now() + timeoutMs; ; await sleep(lookEveryMs, undefined, { signal })) {
    const state = await stateOf(job, kubectl);
    if (state === 'done') return;
    if (state === 'running' && performance.now() < end) continue;
    const why =
      state === 'running'
        ? `is not done after ${duration(timeoutMs)}`
        : `has ${state === 'failed' ? 'failed' : 'gone'}`;
    throw await failed(part, `Job ${name} ${why}`, `batch.kubernetes.io/job-name=${name}`, kubectl);
  }
}

async function stateOf(
  { metadata: { name } }: Job,
  kubectl: Kubectl,
): Promise<'absent' | 'running' | 'failed' | 'done'> {
  const found = await kubectl(['get', 'job', name, '--ignore-not-found', '--output=json']);
  if (found === '') return 'absent';
  const { status } = JSON.parse(found) as { status?: { conditions?: readonly { type: string; status: string }[] } };
  const has = (type: string) => status?.conditions?.some((one) => one.type === type && one.status === 'True') === true;
  return has('Complete') ? 'done' : has('Failed') ? 'failed' : 'running';
}

const linesMax = 20;

/** With the pods as they are, and what they said last. */
async function failed(part: string, what: string, labels: string, kubectl: Kubectl): Promise<HeadgateError> {
  const logs = ['logs', '--all-containers', '--prefix', `--tail=${linesMax}`, `--max-log-requests=${linesMax}`];
  const words = await Promise.all(
    [['get', 'pods'], logs].map((args) =>
      kubectl([...args, `--selector=${labels}`]).catch((error: HeadgateError) => error.message),
    ),
  );
  return new HeadgateError('STEP_FAILED', [`Cannot deploy ${part} as ${what}`, ...words].join('\n').trimEnd(), {
    hint: 'mend that, then run the same command again: what is done stays done',
  });
}

function listOf(items: readonly KubeObject[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}
