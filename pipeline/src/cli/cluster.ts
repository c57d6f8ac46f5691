import { ensureSupervisor, HeadgateError, lanes, type ReadyInfo, stopSupervisor } from '@headgate/rollout';
import { type App, appOptions, openApp } from './open.ts';
import { type Call, flag, type Shell, type Subcommand } from './shell.ts';

/** Its state lies beside headgate.yaml, so that to stop it and to take it down are one. */
const verbs = { up, start: up, info: up, logs, stop: down, down } as const satisfies Record<
  string,
  (app: App, call: Call, shell: Shell) => Promise<number>
>;

export const command: Subcommand = {
  usage: 'up|start|info|logs|stop|down',
  help: 'The local platform of this app: nats-server, HAProxy, Postgres, an OCI registry and the lanes, under one supervisor. Start is up, stop is down: journal, data and images stay in .headgate and go on with the next start.',
  options: appOptions,
  positionals: { min: 1, max: 1 },
  async run(call, shell) {
    const verb = call.positionals[0] ?? '';
    if (!isVerb(verb)) {
      const known = Object.keys(verbs).join(', ');
      throw new HeadgateError('USAGE', `Cannot run "headgate cluster ${verb}" as the word must be one of ${known}`, {
        hint: 'run `headgate cluster --help`',
      });
    }
    return verbs[verb](await openApp(call, shell), call, shell);
  },
};

function isVerb(word: string): word is keyof typeof verbs {
  return Object.hasOwn(verbs, word);
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
