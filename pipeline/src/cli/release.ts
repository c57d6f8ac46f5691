import { HeadgateError } from '@headgate/rollout';
import { releaseImages } from '../deploy/revise.ts';
import { renderLanes, requireRunnable } from './lanes.ts';
import { appOptions, openApp, openHostOf, openPorts } from './open.ts';
import { conclude, handsFor, presenter } from './present.ts';
import { flag, type Subcommand, text } from './shell.ts';

export const command: Subcommand = {
  usage: '<service>=<host/name@sha256:…> … --reason <text>',
  help: 'Starts a release of images that lie in a registry, and drives it to its end. Services that are not named keep what live has when it begins. Exits 0 promoted, 11 rolled back or in quarantine, 12 refused.',
  options: {
    ...appOptions,
    reason: { type: 'string', help: 'why; needed, as no commit says how bare digests relate to what is live' },
    insist: { type: 'boolean', help: 'release a revision that was rolled back before' },
    hotfix: { type: 'boolean', help: 'roll a running release back first' },
    'dead-letter-backlog': {
      type: 'boolean',
      help: 'do not wait until live has worked off what an earlier release left in the lane: each message goes to the dead letters, and its client hears 503',
    },
  },
  positionals: { min: 0, max: 50 },
  async run(call, shell) {
    const app = await openApp(call, shell);
    const images = Object.fromEntries(call.positionals.map(parsePair));
    const template = await renderLanes(app, shell);
    await (await openHostOf(app, shell)).begin();
    await using ports = await openPorts(app, shell);
    await using hands = handsFor(app, ports, shell, presenter(shell, flag(call, 'json')));
    await requireRunnable(images, app, shell);
    const handled = await releaseImages(hands, images, {
      commit: undefined,
      template,
      verifyKey: shell.env['HEADGATE_VERIFY_KEY'],
      ancestry: 'unknown',
      reason: text(call, 'reason') ?? '',
      insist: flag(call, 'insist'),
      hotfix: flag(call, 'hotfix'),
      deadLetterBacklog: flag(call, 'dead-letter-backlog'),
    });
    return conclude(handled, { app, journal: ports.journal, shell }, false);
  },
};

/** An image of a service, as words of a command. Refused here, before anything is started. @throws {HeadgateError} `USAGE`, `REFUSED` for an image that is not pinned */
export function parsePair(pair: string): [string, string] {
  const at = pair.indexOf('=');
  const [name, image] = [pair.slice(0, Math.max(0, at)), pair.slice(at + 1)];
  if (name === '') {
    throw new HeadgateError(
      'USAGE',
      `Cannot go on as an image is written <service>=<host/name@sha256:…>: current value is "${pair}"`,
      { hint: 'run the command with --help' },
    );
  }
  return [name, requirePinned(name, image)];
}

/** @throws {HeadgateError} `REFUSED` for an image that is not pinned */
export function requirePinned(name: string, image: string): string {
  if (/^[^@]+@sha256:[0-9a-f]{64}$/.test(image)) return image;
  throw new HeadgateError(
    'REFUSED',
    `Cannot use the image of "${name}" as it must be pinned by digest: current value is "${image}"`,
    { hint: 'write host/name@sha256:…' },
  );
}
