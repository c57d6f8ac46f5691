/** Clusters on this machine, in docker: by k3d and kind, as their documentation says, with a registry that pods and this machine both know as localhost. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onPath } from '@headgate/rollout/servers';
import { missing, type Programs } from './programs.ts';

export type Named = { readonly tool: 'k3d' | 'kind'; readonly name: string };

/** With a registry at this port of this machine; what its tool has to read lies in the folder. */
export async function makeCluster(
  { tool, name }: Named,
  { port, folder }: { readonly port: number; readonly folder: string },
  programs: Programs,
): Promise<void> {
  if (onPath('docker', programs.env) === undefined) throw missing('docker');
  if (tool === 'kind') return makeKind(name, port, programs);
  const registry = registryOf({ name });
  const config = join(folder, 'k3d-registries.yaml');
  if (!programs.isPlan) {
    await mkdir(folder, { recursive: true });
    // Nodes know it by its container's name; so they know it as this machine does, too.
    await writeFile(config, `mirrors:\n  "localhost:${port}":\n    endpoint:\n      - http://${registry}:5000\n`);
  }
  const registries = ['--registry-create', `${registry}:127.0.0.1:${port}`, '--registry-config', config];
  await programs.act(['k3d', 'cluster', 'create', name, ...registries, '--wait', '--timeout', '5m']);
}

const containerdPatch = `kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
containerdConfigPatches:
- |-
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
`;

async function makeKind(name: string, port: number, programs: Programs): Promise<void> {
  const { act, ask, isPlan } = programs;
  const registry = registryOf({ name });
  const at = ['--publish', `127.0.0.1:${port}:5000`, '--network', 'bridge', '--name', registry];
  await act(['docker', 'run', '--detach', '--restart=always', ...at, 'registry:2']);
  try {
    await act(['kind', 'create', 'cluster', '--name', name, '--wait', '5m', '--config', '-'], containerdPatch);
    const folder = `/etc/containerd/certs.d/localhost:${port}`;
    for (const node of isPlan ? [nodeOf({ tool: 'kind', name })] : await nodesOf(name, programs)) {
      await act(['docker', 'exec', node, 'mkdir', '-p', folder]);
      const hosts = `[host."http://${registry}:5000"]\n`;
      await act(['docker', 'exec', '--interactive', node, 'cp', '/dev/stdin', `${folder}/hosts.toml`], hosts);
    }
    await act(['docker', 'network', 'connect', 'kind', registry]);
  } catch (error) {
    await ask(['docker', 'rm', '--force', '--volumes', registry]).catch(() => {}); // What failed first is what counts.
    throw error;
  }
}

/** `registry`: its container, where the tool does not look after it. */
export async function startCluster(of: Named, registry: string | undefined, programs: Programs): Promise<void> {
  const { act } = programs;
  if (of.tool === 'k3d') {
    await act(['k3d', 'cluster', 'start', of.name, '--wait']);
    const into = ['--kubeconfig-merge-default', '--kubeconfig-switch-context'];
    return act(['k3d', 'kubeconfig', 'merge', of.name, ...into]);
  }
  await act(['docker', 'start', ...(registry === undefined ? [] : [registry]), ...(await nodesOf(of.name, programs))]);
  await act(['kind', 'export', 'kubeconfig', '--name', of.name]);
}

export async function stopCluster(of: Named, programs: Programs): Promise<void> {
  if (of.tool === 'k3d') return programs.act(['k3d', 'cluster', 'stop', of.name]);
  await programs.act(['docker', 'stop', ...(await nodesOf(of.name, programs)), registryOf(of)]);
}

export async function deleteCluster({ tool, name }: Named, { act }: Programs): Promise<void> {
  await act(tool === 'k3d' ? ['k3d', 'cluster', 'delete', name] : ['kind', 'delete', 'cluster', '--name', name]);
}

export async function isRunning(of: Named, { ask }: Programs): Promise<boolean> {
  return (await ask(['docker', 'inspect', '--format', '{{.State.Running}}', nodeOf(of)])).trim() === 'true';
}

/** Whoever made it. */
export async function exists({ tool, name }: Named, { ask }: Programs): Promise<boolean> {
  if (tool === 'kind') return (await ask(['kind', 'get', 'clusters'])).split('\n').includes(name);
  const clusters = JSON.parse(await ask(['k3d', 'cluster', 'list', '--output', 'json'])) as readonly { name: string }[];
  return clusters.some((one) => one.name === name);
}

async function nodesOf(name: string, { ask }: Programs): Promise<readonly string[]> {
  return (await ask(['kind', 'get', 'nodes', '--name', name])).split('\n').filter((node) => node !== '');
}

export function firstTool({ env }: Programs): Named['tool'] {
  const found = (['k3d', 'kind'] as const).find((tool) => onPath(tool, env) !== undefined);
  if (found === undefined) throw missing('k3d or kind');
  return found;
}

/** Of a container, which no other one ever has; `undefined` if there is none of that name. */
export async function idOf(container: string, { ask }: Programs): Promise<string | undefined> {
  const all = ['--all', '--no-trunc', '--filter', `name=^/?${container}$`, '--format', '{{.ID}}'];
  return (await ask(['docker', 'ps', ...all])).trim() || undefined;
}

export function nodeOf({ tool, name }: Named): string {
  return tool === 'k3d' ? `k3d-${name}-server-0` : `${name}-control-plane`;
}

export function registryOf({ name }: Pick<Named, 'name'>): string {
  return `${name}-registry`;
}

export function contextOf({ tool, name }: Named): string {
  return `${tool}-${name}`;
}

export function nameOf({ tool, name }: Named): string {
  return `${tool} cluster "${name}"`;
}

export function isSame(a: Named, b: Named): boolean {
  return a.tool === b.tool && a.name === b.name;
}
