import { HeadgateError, type KubeObject } from '@headgate/rollout';
import { deployPart, type PartPlan, planPart } from '../deploy/infra.ts';
import { openKubectl } from '../deploy/kubectl.ts';
import { podTemplateIn, renderManifests } from '../deploy/manifests.ts';
import type { Part } from '../deploy/once.ts';
import { requireSignatures } from '../deploy/revise.ts';
import { type Clustered, entranceOptions, openCluster, setUp } from './bootstrap.ts';
import { type App, appOptions } from './open.ts';
import { requirePinned } from './release.ts';
import { type Call, flag, type Shell, type Subcommand, span, text } from './shell.ts';

const timeoutMsDefault = 5 * 60_000;

const targets = {
  queue: (call, shell) => setUp(call, shell, { only: 'queue', check: flag(call, 'plan') }),
  gateway: (call, shell) => setUp(call, shell, { only: 'cluster', check: flag(call, 'plan') }),
  infra: async (call, shell) => {
    const app = await openCluster(call, shell);
    return deploy(app, infraOf(app, call.positionals[1]), call, shell);
  },
  frontend: async (call, shell) => {
    const image = requirePinned('frontend', text(call, 'image') ?? '');
    const app = await openCluster(call, shell);
    const { frontend: folder } = app.spec;
    if (folder === undefined) throw unwritten('the frontend', 'frontend: { manifests: deploy/frontend }');
    await requireSignatures([image], shell.env['HEADGATE_VERIFY_KEY'], {
      say: (words) => shell.err(`${words}\n`),
      signal: shell.signal,
    });
    return deploy(app, [{ name: 'frontend', folder, namespace: undefined, image }], call, shell);
  },
} as const satisfies Record<string, (call: Call, shell: Shell) => Promise<number>>;

export const command: Subcommand = {
  usage: 'queue|gateway|infra [<name>]|frontend --image <host/name@sha256:…> [--plan]',
  help: `On Kubernetes, what stands around the lanes. Safe to repeat; --plan says what would be changed, and changes nothing.

queue      streams and consumers of both lanes, as bootstrap makes them
gateway    lanes, routes and roles, as bootstrap makes them and with its options
infra      what headgate.yaml names under infra: { <name>: { manifests: <folder> } }, one after the other or <name> alone: databases, brokers, collectors. What \`kubectl kustomize\` gives is applied; its rollouts are waited for; then its Jobs run, each once for its content
frontend   what headgate.yaml names as frontend: { manifests: <folder> }, with this image in its Deployment

infra and frontend work by kubectl with your own rights, and exit 1 with the last log lines of what does not come up.`,
  options: {
    ...appOptions,
    ...entranceOptions,
    image: { type: 'string', help: 'of the frontend, pinned by digest' },
    plan: { type: 'boolean', help: 'do nothing: say what would be changed' },
    timeout: { type: 'string', help: 'for each rollout and each Job, e.g. 10m (default 5m)' },
  },
  positionals: { min: 1, max: 2 },
  async run(call, shell) {
    const [target = '', name] = call.positionals;
    if (isTarget(target) && (name === undefined || target === 'infra')) return targets[target](call, shell);
    const known = Object.keys(targets).join(', ');
    throw new HeadgateError(
      'USAGE',
      `Cannot deploy as the words must be one of ${known}, or infra and a name: current value is "${call.positionals.join(' ')}"`,
      { hint: 'run `headgate deploy --help`' },
    );
  },
};

function isTarget(word: string): word is keyof typeof targets {
  return Object.hasOwn(targets, word);
}

type Source = {
  readonly name: string;
  readonly folder: string;
  /** `undefined`: the app's own. */
  readonly namespace: string | undefined;
  /** Of its one Deployment; `undefined`: as the manifests say. */
  readonly image: string | undefined;
};

/** In the order of headgate.yaml. @throws {HeadgateError} `USAGE` */
function infraOf({ spec: { infra } }: App, named: string | undefined): readonly Source[] {
  const known = Object.keys(infra);
  if (known.length === 0) throw unwritten('infra', 'infra: { database: { manifests: deploy/database } }');
  const wanted = named === undefined ? known : known.filter((name) => name === named);
  if (wanted.length === 0) {
    throw new HeadgateError('USAGE', `Cannot deploy infra "${named}" as headgate.yaml has none of that name`, {
      hint: `it has these: ${known.join(', ')}`,
    });
  }
  return Object.entries(infra)
    .filter(([name]) => wanted.includes(name))
    .map(([name, { manifests: folder, namespace }]) => ({ name, folder, namespace, image: undefined }));
}

function unwritten(what: string, example: string): HeadgateError {
  return new HeadgateError('USAGE', `Cannot deploy ${what} as headgate.yaml names no manifests of it`, {
    hint: `write ${example}`,
  });
}

async function deploy(app: Clustered, sources: readonly Source[], call: Call, shell: Shell): Promise<number> {
  const timeoutMs = span(call, 'timeout') ?? timeoutMsDefault;
  const [isPlan, json] = [flag(call, 'plan'), flag(call, 'json')];
  const { env, signal } = shell;
  const parts: PartPlan[] = [];
  for (const source of sources) {
    const kubectl = openKubectl({ namespace: source.namespace ?? app.kubernetes.namespace, env }, signal);
    const plan = await planPart(await partOf(source, app, shell), kubectl);
    const say = (line: string) => shell.err(`${source.name}: ${line}\n`);
    if (!isPlan) await deployPart(plan, { kubectl, timeoutMs, say, signal });
    if (!json) shell.out(`${lineOf(plan, isPlan)}${isPlan ? plan.diff : ''}`);
    parts.push(plan);
  }
  if (json)
    shell.out(
      `${JSON.stringify({ parts: parts.map(({ part, set, run }) => ({ part, set, run: run.map(jobName) })) })}\n`,
    );
  return 0;
}

async function partOf({ name, folder, image }: Source, { folder: root }: App, { env, signal }: Shell): Promise<Part> {
  const manifests = await renderManifests({ service: name, folder }, { root, env }, signal);
  if (image === undefined) return { name, objects: manifests.objects };
  const template = podTemplateIn(manifests);
  const [first, ...others] = template.spec?.containers ?? [];
  const containers = [{ ...first, image }, ...others];
  const withImage = (object: KubeObject & { readonly spec?: object }) =>
    object.kind === 'Deployment'
      ? { ...object, spec: { ...object.spec, template: { ...template, spec: { ...template.spec, containers } } } }
      : object;
  return { name, objects: manifests.objects.map(withImage) };
}

function jobName({ job }: PartPlan['run'][number]): string {
  return job.metadata.name;
}

function lineOf({ part, set, run }: PartPlan, isPlan: boolean): string {
  const would = isPlan ? 'would ' : '';
  const words = [
    ...(set.length === 0 ? [] : [`${would}set ${set.join(', ')}`]),
    ...(run.length === 0 ? [] : [`${would}${isPlan ? 'run' : 'ran'} Job ${run.map(jobName).join(', ')}`]),
  ];
  return `${part}: ${words.join('; ') || 'all is there'}\n`;
}
