import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { traefikAlways } from '../metrics/traefik.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { directReplica, type Replica } from './replicas.ts';

/** A replica of the test cluster's gateway that nobody else uses: on the same port, as the listener of the Gateway names it. */
export interface TraefikRig extends AsyncDisposable {
  readonly replica: Replica;
  readonly url: string;
  restart(): Promise<void>;
}

export async function startTraefik(address: string): Promise<TraefikRig> {
  const { run, gateways } = JSON.parse(readFileSync(process.env['HEADGATE_KUBE_CLUSTER']!, 'utf8')) as {
    readonly run: string;
    readonly gateways: readonly string[];
  };
  const listener = Number(new URL(gateways[0]!).port);
  const metrics = listener + 2;
  const start = async () => {
    const child = spawn(binary(), argsOf(run, address, listener, metrics), { stdio: 'ignore', env: {} });
    await ready(address, metrics);
    return child;
  };
  let child = await start();
  const stop = async () => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  return {
    replica: directReplica({ address, listener, metrics }),
    url: `http://${address}:${listener}`,
    async restart() {
      await stop();
      child = await start();
    },
    [Symbol.asyncDispose]: stop,
  };
}

function binary(): string {
  return join(process.env['HEADGATE_KUBE_CACHE'] ?? join(homedir(), '.cache', 'headgate-kube'), 'bin', 'traefik');
}

function argsOf(run: string, address: string, listener: number, metrics: number): readonly string[] {
  const server = /server: "?(\S+?)"?[ ,}]/.exec(readFileSync(testCluster().kubeconfig, 'utf8'))?.[1];
  return [
    '--providers.kubernetesgateway=true',
    `--providers.kubernetesgateway.endpoint=${server}`,
    `--providers.kubernetesgateway.certauthfilepath=${run}/pki/ca.crt`,
    `--providers.kubernetesgateway.token=${run}/traefik.token`,
    '--providers.providersthrottleduration=100ms',
    `--entrypoints.web.address=${address}:${listener}`,
    `--entrypoints.traefik.address=${address}:${metrics}`,
    '--metrics.prometheus=true',
    '--global.checknewversion=false',
    '--global.sendanonymoususage=false',
  ];
}

/** It listens before it has its own pages. */
async function ready(address: string, port: number): Promise<void> {
  for (const within = AbortSignal.timeout(20_000); ; await sleep(50, undefined, { signal: within })) {
    const isUp = await fetch(`http://${address}:${port}/metrics`, { signal: within }).then(
      async (answer) => answer.ok && (await answer.text()).includes(traefikAlways),
      () => false,
    );
    if (isUp) return;
  }
}
