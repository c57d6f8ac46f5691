import { HeadgateError, type SpecValue } from '@headgate/rollout';
import { hiddenIn } from '../run/hidden.ts';
import { redactDeep, redactor } from '../run/redact.ts';
import { appOptions, openApp } from './open.ts';
import { flag, type Subcommand } from './shell.ts';

export const command: Subcommand = {
  usage: 'show',
  help: 'Prints every value of the app with its source: headgate.yaml, over it the environment that -e names, over both headgate.local.yaml, the file of this machine alone; else the default. Or every mistake in them with line, rule and value (exit 64). With --json also the app as Headgate reads it. Secrets of services are hidden.',
  options: appOptions,
  positionals: { min: 1, max: 1 },
  async run(call, shell) {
    if (call.positionals[0] !== 'show') {
      throw new HeadgateError('USAGE', `Cannot run "headgate config ${call.positionals[0]}" as there is only "show"`, {
        hint: 'run `headgate config show`',
      });
    }
    const app = await openApp(call, shell);
    const hidden = Object.entries(app.spec.services).flatMap(([name, { env }]) =>
      Object.entries(hiddenIn(env)).map(([key, value]) => [`${name}.${key}`, value]),
    );
    const { spec, values } = redactDeep(app, redactor(Object.fromEntries(hidden)));
    shell.out(flag(call, 'json') ? `${JSON.stringify({ spec, values }, undefined, 2)}\n` : table(values));
    return 0;
  },
};

function table(values: readonly SpecValue[]): string {
  const [path, value] = (['path', 'value'] as const).map((column) =>
    Math.max(...values.map((one) => one[column].length).filter((length) => length <= columnMaxChars)),
  );
  return values
    .map((one) => `${one.path.padEnd(path ?? 0)}  ${one.value.padEnd(value ?? 0)}  ${sourceOf(one)}\n`)
    .join('');
}

/** A longer text pushes its own line alone. */
const columnMaxChars = 40;

function sourceOf({ from }: SpecValue): string {
  if (from === undefined) return 'default';
  return `${from.file}:${from.line}${from.environment === undefined ? '' : ` environments.${from.environment}`}`;
}
