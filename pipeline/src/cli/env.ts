import { findSupervisor, HeadgateError } from '@headgate/rollout';
import { hiddenIn } from './hidden.ts';
import { type App, appOptions, openApp } from './open.ts';
import { flag, type Subcommand } from './shell.ts';

export const command: Subcommand = {
  usage: '[<service>] [--reveal]',
  help: 'Prints what a service gets as variables, one KEY=value a line, for eval and .env: the servers (NATS_URL; on the local platform while it runs, with DATABASE_URL), and over them `env` of headgate.yaml with environment and headgate.local.yaml. Without a name it is of all services. What is named like a secret, or is an address with a password, is a comment unless you say --reveal; as JSON it is null.',
  options: { ...appOptions, reveal: { type: 'boolean', help: 'secrets too' } },
  positionals: { min: 0, max: 1 },
  async run(call, shell) {
    const app = await openApp(call, shell);
    const servers = await serversOf(app, shell.signal);
    const variables = { ...servers, ...variablesOf(app, call.positionals[0]) };
    const hidden = flag(call, 'reveal') ? {} : hiddenIn(variables);
    const all = Object.entries(variables).map(([key, value]) => [key, key in hidden ? undefined : value] as const);
    if (flag(call, 'json')) {
      shell.out(`${JSON.stringify(Object.fromEntries(all.map(([key, value]) => [key, value ?? null])))}\n`);
      return 0;
    }
    for (const [key, value] of all) {
      shell.out(value === undefined ? `# ${key} is hidden: --reveal\n` : `${key}=${quoted(value)}\n`);
    }
    return 0;
  },
};

type Variables = Readonly<Record<string, string>>;

/** Where the platform has them; a local one that does not run has none, and is not started. */
async function serversOf({ spec, state }: App, signal: AbortSignal): Promise<Variables> {
  if (spec.kubernetes !== undefined) return spec.queue === undefined ? {} : { NATS_URL: spec.queue.url };
  const { urls } = (await findSupervisor(state, signal)) ?? {};
  if (urls === undefined) return {};
  return { NATS_URL: urls.nats, ...(urls.database === undefined ? {} : { DATABASE_URL: urls.database }) };
}

/** @throws {HeadgateError} `USAGE` for an unknown service, and where two have one variable with two values */
function variablesOf({ spec: { services } }: App, named: string | undefined): Variables {
  const known = Object.keys(services);
  const wanted = named === undefined ? known : known.filter((name) => name === named);
  if (wanted.length === 0) {
    throw new HeadgateError('USAGE', `Cannot print variables as there is no service "${named}"`, {
      hint: `name one of these: ${known.join(', ')}`,
    });
  }
  const found = new Map<string, string>();
  for (const [key, value] of wanted.flatMap((name) => Object.entries(services[name]?.env ?? {}))) {
    if ((found.get(key) ?? value) !== value) {
      throw new HeadgateError('USAGE', `Cannot print variables of all services as ${key} differs between them`, {
        hint: `name one of these: ${known.join(', ')}`,
      });
    }
    found.set(key, value);
  }
  return Object.fromEntries(found);
}

/** For a shell and for readers of .env alike. */
function quoted(value: string): string {
  return /^[\w./:@%+,=-]*$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}
