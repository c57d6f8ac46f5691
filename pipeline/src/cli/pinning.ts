import { HeadgateError, type Marker, markerRule, pin, readMarker } from '@headgate/rollout';
import { actOptions, openApp, openPorts, releaseNumber } from './open.ts';
import { finish, handsFor, presenter } from './present.ts';
import { type Call, flag, type Option, type Subcommand, text } from './shell.ts';

/** Pin and unpin differ in where the marked requests go. */
export function pinCommand(differs: {
  readonly usage: string;
  readonly help: string;
  readonly options: Readonly<Record<string, Option>>;
  /** `undefined`: nowhere any more. */
  readonly to: (call: Call) => string | undefined;
}): Subcommand {
  const { usage, help, options } = differs;
  return {
    usage,
    help,
    options: { ...actOptions, ...options },
    positionals: { min: 1, max: 2 },
    async run(call, shell) {
      const marker = markerOf(call);
      const wish = {
        to: differs.to(call),
        release: releaseNumber(call),
        reason: text(call, 'reason') ?? 'no reason given',
      };
      const app = await openApp(call, shell);
      await using ports = await openPorts(app, shell);
      await using hands = handsFor(app, ports, shell, presenter(shell, flag(call, 'json')));
      return finish(await pin(hands, marker, wish), shell, false);
    },
  };
}

/** @throws {HeadgateError} `USAGE` */
function markerOf({ positionals }: Call): Marker {
  const words = positionals.join(' ');
  const marker = readMarker(words);
  if (marker !== undefined) return marker;
  throw new HeadgateError('USAGE', `Cannot pin as it ${markerRule}: current value is "${words}"`, {
    hint: 'run `headgate pin --help`',
  });
}
