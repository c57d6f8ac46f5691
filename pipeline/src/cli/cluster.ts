import {
  ensureSupervisor,
  findSupervisor,
  HeadgateError,
  lanes,
  type ReadyInfo,
  stopSupervisor,
} from '@headgate/rollout';
import { type App, appOptions, openApp } from './open.ts';
import { type Call, flag, type Shell, type Subcommand, text } from './shell.ts';

/** Its state lies beside headgate.yaml, so that to stop it and to take it down are one. */
const verbs = { up, start: up, info: up, logs, stop: down, down } as const satisfies Record<
  string,
  (app: App, call: Call, shell: Shell) => Promise<number>
>;

export const command: Subcommand = {
  usage: 'up|start|info|logs|stop|down [--plan]',
  help: `The local platform of this app: nats-server, HAProxy, Postgres, an OCI registry and the lanes, under one supervisor. Start is up, stop is down: journal, data and images stay in .headgate and go on with the next start.

For an app on Kubernetes, where headgate.yaml (or -e) says so, its cluster: up takes the one that the kubeconfig's current context names, if it answers. Else, or with --k3d or --kind, it starts the one of that name, or makes it on this machine in docker, with a registry. start, stop and down are for what Headgate made from here, and refuse every other cluster (12).`,
  options: {
    ...appOptions,
    k3d: { type: 'string', help: 'make or start a cluster of this name by k3d' },
    kind: { type: 'string', help: 'make or start a cluster of this name by kind' },
    kubeconfig: { type: 'string', help: 'the kubeconfig (default HEADGATE_KUBECONFIG, KUBECONFIG or ~/.kube/config)' },
    plan: { type: 'boolean', help: 'do nothing: say what would be done' },
  },
  positionals: { min: 1, max: 1 },
  async run(call, shell) {
    const verb = call.positionals[0] ?? '';
    if (!isVerb(verb)) {
      const known = Object.keys(verbs).join(', ');
      throw new HeadgateError('USAGE', `Cannot run "headgate cluster ${verb}" as the word must be one of ${known}`, {
        hint: 'run `headgate cluster --help`',
      });
    }
    const app = await openApp(call, shell);
    if (app.spec.kubernetes !== undefined) {
      const { kubernetesCluster } = await import('./kubernetes-cluster.ts');
      return kubernetesCluster(verb, app, call, shell);
    }
    refuseKubernetes(app, call);
    return flag(call, 'plan') ? plan(verb, app, call, shell) : verbs[verb](app, call, shell);
  },
};

function isVerb(word: string): word is keyof typeof verbs {
  return Object.hasOwn(verbs, word);
}

/** @throws {HeadgateError} `USAGE` */
function refuseKubernetes({ spec }: App, call: Call): void {
  const given = (['k3d', 'kind', 'kubeconfig'] as const).find((name) => text(call, name) !== undefined);
  if (given === undefined) return;
  throw new HeadgateError('USAGE', `Cannot go by --${given} as the headgate.yaml of ${spec.app} names no cluster`, {
    hint: 'leave it out, or name an environment that has `kubernetes` with -e',
  });
}

async function plan(verb: keyof typeof verbs, app: App, call: Call, shell: Shell): Promise<number> {
  const running = (await findSupervisor(app.state, shell.signal)) !== undefined;
  const ends = verbs[verb] === down;
  const words = running === ends ? `would ${ends ? 'stop' : 'start'} the local platform` : 'nothing to do';
  shell.out(flag(call, 'json') ? `${JSON.stringify({ running, plan: words })}\n` : `${words}\n`);
  return 0;
}

async function up(app: App, call: Call, shell: Shell): Promise<number> {
  const { info } = await ensure(app, shell);
  shell.out(flag(call, 'json') ? `${JSON.stringify(info)}\n` : `${infoLines(info).join('\n')}\n`);
  return 0;
}

async function logs(app: App, call: Call, shell: Shell): Promise<number> {
  const { client } = await ensure(app, shell);
  if (flag(call, 'json')) {
    const all = lanes.map(async (lane) => (await client.logs(lane, shell.signal)).map((one) => ({ lane, ...one })));
    shell.out(`${JSON.stringify((await Promise.all(all)).flat())}\n`);
    return 0;
  }
  for (const lane of lanes) {
    for (const { name, lines } of await client.logs(lane, shell.signal)) {
      shell.out(`${lines.map((line) => `${lane} ${name} | ${line}`).join('\n')}\n`);
    }
  }
  return 0;
}

async function down(app: App, call: Call, shell: Shell): Promise<number> {
  await stopSupervisor(app.state, shell.signal);
  const words = 'the local platform is down; the journal stays';
  shell.out(flag(call, 'json') ? `${JSON.stringify({ running: false })}\n` : `${words}\n`);
  return 0;
}

function ensure(app: App, shell: Shell) {
  return ensureSupervisor(
    { app: app.spec.app, folder: app.state, onProgress: (doing) => shell.err(`${doing}\n`) },
    shell.signal,
  );
}

function infoLines({ urls, pid }: ReadyInfo): readonly string[] {
  return [
    `http      ${urls.http}`,
    `nats      ${urls.nats}`,
    ...(urls.database === undefined ? [] : [`database  ${urls.database}`]),
    `supervisor ${pid}`,
  ];
}
