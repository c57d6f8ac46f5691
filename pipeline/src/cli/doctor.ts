import {
  checkCluster,
  checkManifests,
  type Finding,
  HeadgateError,
  ignoreSnippets,
  missing,
  openKubeClient,
  withDeadline,
} from '@headgate/rollout';
import { surveyCluster } from '@headgate/rollout/setup';
import { renderAll } from '../deploy/manifests.ts';
import { checkMachine, lookAtMachine } from '../doctor/machine.ts';
import { resolveTag } from '../registry/client.ts';
import { type App, appOptions, openApp } from './open.ts';
import { flag, paint, type Shell, type Subcommand } from './shell.ts';

export const command: Subcommand = {
  usage: '[--json]',
  help: 'Looks at this machine and, on Kubernetes, at your manifests and your cluster; says what a lane would lack and how to mend it, and what a GitOps tool must leave alone. Changes nothing. Exits 1 when something is missing.',
  options: appOptions,
  positionals: { min: 0, max: 0 },
  async run(call, shell) {
    const app = await openApp(call, shell);
    const findings = [
      ...checkMachine(app.spec, await lookAtMachine(app.folder, app.spec, shell.env)),
      ...(await ofRegistry(app, shell)),
      ...(await ofCluster(app, shell)),
    ];
    const gitops = ignoreSnippets(app.spec);
    if (flag(call, 'json')) shell.out(`${JSON.stringify({ findings, gitops })}\n`);
    else tell(findings, gitops, shell);
    return findings.some(({ kind }) => kind === 'missing') ? 1 : 0;
  },
};

const registryMaxMs = 10_000;

/** Asked as a delivery would ask it: for an image, which it may well not have. */
async function ofRegistry({ spec }: App, { env, signal }: Shell): Promise<readonly Finding[]> {
  const registry = env['HEADGATE_REGISTRY'];
  const [service] = Object.keys(spec.services);
  if (!registry || service === undefined) return [];
  const asked = await orFinding('the registry', () =>
    resolveTag(`${registry}/${service}`, 'doctor', withDeadline(signal, registryMaxMs)),
  );
  return asked.kind === 'failed' ? [asked.finding] : [];
}

async function ofCluster({ spec, folder }: App, shell: Shell): Promise<readonly Finding[]> {
  const { kubernetes } = spec;
  if (kubernetes === undefined) return [];
  const rendered = await orFinding('the manifests', () =>
    renderAll(spec, { root: folder, env: shell.env }, shell.signal),
  );
  const manifests = rendered.kind === 'done' ? rendered.value : {};
  using client = openKubeClient({ namespace: kubernetes.namespace });
  const surveyed = await orFinding('the cluster', () =>
    surveyCluster({ spec, kubernetes, client }, manifests, shell.signal),
  );
  return [
    ...(rendered.kind === 'done' ? checkManifests(spec, manifests) : [rendered.finding]),
    ...(surveyed.kind === 'done' ? checkCluster(spec, surveyed.value) : [surveyed.finding]),
  ];
}

type Outcome<T> = { readonly kind: 'done'; readonly value: T } | { readonly kind: 'failed'; readonly finding: Finding };

/** What cannot be looked at is missing; the rest is looked at all the same. */
async function orFinding<T>(about: string, act: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { kind: 'done', value: await act() };
  } catch (error) {
    if (!(error instanceof HeadgateError)) throw error;
    return { kind: 'failed', finding: missing(about, error.message, error.hint) };
  }
}

function tell(findings: readonly Finding[], { argocd, flux }: ReturnType<typeof ignoreSnippets>, shell: Shell): void {
  for (const { kind, about, said, cure } of findings) {
    const sign = kind === 'missing' ? paint(shell, 'red', '✗') : paint(shell, 'yellow', '!');
    shell.out(`${sign} ${paint(shell, 'bold', about)}: ${said}\n  ${cure}\n`);
  }
  if (!findings.some(({ kind }) => kind === 'missing')) shell.out(`${paint(shell, 'green', '✓')} nothing is missing\n`);
  if (argocd === '') return;
  shell.out(
    `\nIf Argo CD applies any of this, in its Application:\n\n${argocd}\nIf Flux does, in its Kustomization:\n\n${flux}`,
  );
}
