import {
  findSupervisor,
  HeadgateError,
  openKubeClient,
  readHead,
  readLaneEnvironment,
  type Variable,
} from '@headgate/rollout';
import { hostKindOf } from '../host/host.ts';
import { hiddenIn } from '../run/hidden.ts';
import { type App, appOptions, openApp, openJournal } from './open.ts';
import { flag, type Shell, type Subcommand, word } from './shell.ts';

export const command: Subcommand = {
  usage: '[<service>] [--from cluster] [--reveal]',
  help: `Prints what a service gets as variables, one KEY=value a line, for eval and .env: the servers (NATS_URL; on the local platform while it runs, with DATABASE_URL), and over them \`env\` of headgate.yaml with environment and headgate.local.yaml. Without a name it is of all services. What is named like a secret, or is an address with a password, is a comment unless you say --reveal; as JSON it is null.

With --from cluster it is what the service's Deployment of the live lane gives its processes now, with the ConfigMaps that it names; an image's own variables are not among them. Secrets are named and never read. It needs the app's role viewer.`,
  options: {
    ...appOptions,
    from: { type: 'string', help: 'cluster: as the live lane has it (default headgate.yaml)' },
    reveal: { type: 'boolean', help: 'secrets too' },
  },
  positionals: { min: 0, max: 1 },
  async run(call, shell) {
    const from = word(call, 'from', ['cluster']);
    const app = await openApp(call, shell);
    const services = servicesOf(app, call.positionals[0]);
    const known = from === undefined ? await written(app, services, shell) : await live(app, services, shell);
    const variables = Object.entries(flag(call, 'reveal') ? known : withoutSecrets(known));
    if (flag(call, 'json')) {
      const values = variables.map(([key, one]) => [key, one.kind === 'value' ? one.value : null]);
      shell.out(`${JSON.stringify(Object.fromEntries(values))}\n`);
      return 0;
    }
    const isGithub = hostKindOf(shell.env) === 'github';
    for (const [key, variable] of variables) {
      const line = lineOf(key, variable);
      // Whoever does not take them from here leaves them to GitHub's runner.
      shell.out(
        isGithub && /\n|##\[/.test(line) ? '# one that GitHub may obey is left out: --json has it\n' : `${line}\n`,
      );
    }
    return 0;
  },
};

type Variables = Readonly<Record<string, Variable>>;

/** @throws {HeadgateError} `USAGE` for an unknown service */
function servicesOf({ spec: { services } }: App, named: string | undefined): readonly string[] {
  const known = Object.keys(services);
  const wanted = named === undefined ? known : known.filter((name) => name === named);
  if (wanted.length > 0) return wanted;
  throw new HeadgateError('USAGE', `Cannot print variables as there is no service "${named}"`, {
    hint: `name one of these: ${known.join(', ')}`,
  });
}

async function written(app: App, services: readonly string[], { signal }: Shell): Promise<Variables> {
  const own = services.map((service) => valuesOf(app.spec.services[service]?.env ?? {}));
  return { ...valuesOf(await serversOf(app, signal)), ...together(own, services) };
}

/** Where the platform has them; a local one that does not run has none, and is not started. */
async function serversOf({ spec, state }: App, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
  if (spec.kubernetes !== undefined) return spec.queue === undefined ? {} : { NATS_URL: spec.queue.url };
  const { urls } = (await findSupervisor(state, signal)) ?? {};
  if (urls === undefined) return {};
  return { NATS_URL: urls.nats, ...(urls.database === undefined ? {} : { DATABASE_URL: urls.database }) };
}

/** @throws {HeadgateError} `USAGE` without a cluster, `REFUSED` before the first release */
async function live(app: App, services: readonly string[], { signal, err }: Shell): Promise<Variables> {
  const { app: name, kubernetes } = app.spec;
  if (kubernetes === undefined) {
    throw new HeadgateError('USAGE', `Cannot read variables of ${name} as its headgate.yaml names no cluster`, {
      hint: 'leave out --from',
    });
  }
  const { live: lane } = await readHead(openJournal(app).journal, name, signal);
  if (lane === undefined) {
    throw new HeadgateError('REFUSED', `Cannot read variables of ${name} as nothing is live yet`, {
      hint: 'leave out --from, or run `headgate release` first',
    });
  }
  using client = openKubeClient({ namespace: kubernetes.namespace });
  const found: Variables[] = [];
  for (const service of services) {
    const { variables, unnamed } = await readLaneEnvironment(client, { app: name, lane, service }, signal);
    for (const source of unnamed) err(`${service} gets, besides, ${source}\n`);
    found.push(variables);
  }
  return together(found, services);
}

/** @throws {HeadgateError} `USAGE` where two have one variable with two values */
function together(found: readonly Variables[], services: readonly string[]): Variables {
  const all = new Map<string, Variable>();
  for (const [key, variable] of found.flatMap((variables) => Object.entries(variables))) {
    if (JSON.stringify(all.get(key) ?? variable) !== JSON.stringify(variable)) {
      throw new HeadgateError('USAGE', `Cannot print variables of all services as ${key} differs between them`, {
        hint: `name one of these: ${services.join(', ')}`,
      });
    }
    all.set(key, variable);
  }
  return Object.fromEntries(all);
}

function valuesOf(values: Readonly<Record<string, string>>): Variables {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { kind: 'value', value }]));
}

function withoutSecrets(variables: Variables): Variables {
  const values = Object.entries(variables).flatMap(([key, one]) => (one.kind === 'value' ? [[key, one.value]] : []));
  const secret = Object.keys(hiddenIn(Object.fromEntries(values)));
  return {
    ...variables,
    ...Object.fromEntries(secret.map((key) => [key, { kind: 'unread', why: 'hidden: --reveal' }])),
  };
}

function lineOf(key: string, variable: Variable): string {
  // In a cluster a name may be nearly any text, and what is printed here may be run.
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) return `# ${JSON.stringify(key)} is no name for a shell`;
  return variable.kind === 'value' ? `${key}=${quoted(variable.value)}` : `# ${key} is ${variable.why}`;
}

/** For a shell and for readers of .env alike. */
function quoted(value: string): string {
  return /^[\w./:@%+,=-]*$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}
