/** A service's own Kubernetes manifests, rendered on the machine of whoever starts a release: the cluster needs no checkout. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  type ConfigMapTemplate,
  HeadgateError,
  type KubeObject,
  type PodTemplate,
  type Spec,
  withDeadline,
} from '@headgate/rollout';
import { CORE_SCHEMA, loadAll } from 'js-yaml';
import { clusterEnvironment } from '../run/environment.ts';

export type Manifests = {
  readonly service: string;
  /** As headgate.yaml names it. */
  readonly folder: string;
  readonly objects: readonly KubeObject[];
};

export type Rendering = {
  /** Folder of headgate.yaml. */
  readonly root: string;
  /** Where kubectl is looked for. */
  readonly env: Readonly<Record<string, string | undefined>>;
};

const kubectlMaxMs = 60_000;
const manifestsMaxBytes = 16 * 1024 * 1024;

/** Lane names in them stay `$(LANE)`. @throws {HeadgateError} `TOOL_MISSING`, `MANIFESTS_INVALID` */
export async function renderManifests(
  { service, folder }: Pick<Manifests, 'service' | 'folder'>,
  { root, env }: Rendering,
  signal: AbortSignal,
): Promise<Manifests> {
  const within = withDeadline(signal, kubectlMaxMs);
  const options = { env: clusterEnvironment(env), maxBuffer: manifestsMaxBytes, signal: within };
  try {
    const { stdout } = await promisify(execFile)('kubectl', ['kustomize', join(root, folder)], options);
    // Kustomize quotes what is text. Dates stay text too: they would become another thing in JSON.
    const objects = loadAll(stdout, { schema: CORE_SCHEMA }).filter((one) => one !== null && one !== undefined);
    return { service, folder, objects: objects as KubeObject[] }; // Kustomize refuses what has no kind and name.
  } catch (cause) {
    signal.throwIfAborted();
    throw unrendered(folder, cause);
  }
}

/** By service. */
export type Rendered = Readonly<Record<string, readonly KubeObject[]>>;

/** Of every service that has manifests; an app without Kubernetes has none, and needs no kubectl. @throws {HeadgateError} as `renderManifests` */
export async function renderAll(
  { services, kubernetes }: Spec,
  rendering: Rendering,
  signal: AbortSignal,
): Promise<Rendered> {
  if (kubernetes === undefined) return {};
  const rendered = await Promise.all(
    Object.entries(services).flatMap(([service, { manifests: folder }]) =>
      folder === undefined ? [] : [renderManifests({ service, folder }, rendering, signal)],
    ),
  );
  return Object.fromEntries(rendered.map(({ service, objects }) => [service, objects]));
}

function unrendered(folder: string, cause: unknown): HeadgateError {
  const { code, stderr = '' } = cause as { code?: unknown; stderr?: string }; // Of execFile.
  if (code === 'ENOENT') {
    return new HeadgateError('TOOL_MISSING', `Cannot render manifests "${folder}" as kubectl must be on the PATH`, {
      hint: 'install kubectl (https://kubernetes.io/docs/tasks/tools), or leave "manifests" out of headgate.yaml',
      cause,
    });
  }
  const said = /(?:err="|error: )(.*)/s.exec(stderr)?.[1] ?? (stderr || String(cause));
  return new HeadgateError(
    'MANIFESTS_INVALID',
    `Cannot render manifests "${folder}" as kubectl must be able to build them: ${said.trim().replace(/"$/, '')}`,
    { hint: `mend what \`kubectl kustomize ${folder}\` says`, cause },
  );
}

/** The template of the one Deployment among them. @throws {HeadgateError} `MANIFESTS_INVALID` */
export function podTemplateIn({ service, folder, objects }: Manifests): PodTemplate {
  const deployments = objects.filter(({ kind }) => kind === 'Deployment');
  const [deployment] = deployments;
  const template = (deployment as { spec?: { template?: PodTemplate } } | undefined)?.spec?.template;
  if (deployments.length !== 1 || template?.spec?.containers?.[0] === undefined) {
    const found = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`).join(', ') || 'nothing';
    throw new HeadgateError(
      'MANIFESTS_INVALID',
      `Cannot release service "${service}" as its manifests "${folder}" must hold one Deployment with a container: current value is "${found}"`,
      { hint: `name the Deployment of ${service} under resources in ${folder}/kustomization.yaml` },
    );
  }
  return template;
}

/** What pods of a lane read beside their environment. @throws {HeadgateError} `MANIFESTS_INVALID` for one that could change under a lane's pods */
export function configMapsIn({ service, folder, objects }: Manifests): readonly ConfigMapTemplate[] {
  return objects
    .filter(({ kind }) => kind === 'ConfigMap')
    .map((object) => {
      const { metadata, data = {}, immutable, binaryData } = object as WrittenConfigMap;
      const { name } = metadata;
      if (immutable === true && name.includes('$(LANE)') && binaryData === undefined) return { name, data };
      throw new HeadgateError(
        'MANIFESTS_INVALID',
        `Cannot release service "${service}" as ConfigMaps of "${folder}" must be immutable texts with $(LANE) in their name: current value is "${name}"`,
        {
          hint: 'write a configMapGenerator with a name such as app-$(LANE)-service, and generatorOptions: { immutable: true }',
        },
      );
    });
}

type WrittenConfigMap = KubeObject & {
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: object;
  readonly immutable?: boolean;
};
