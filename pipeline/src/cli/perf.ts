import { HeadgateError } from '@headgate/rollout';
import { deliver, liveImages } from './deliver.ts';
import { type App, appOptions, openApp, openHostOf, openPorts } from './open.ts';
import { presenter } from './present.ts';
import { parsePair } from './release.ts';
import { showPlan } from './run.ts';
import { type Call, flag, type Shell, type Subcommand, text } from './shell.ts';
import { reportersOf, tellRun } from './told-run.ts';

export const command: Subcommand = {
  usage: '[--against <service>=<host/name@sha256:…>,…] [--plan]',
  help: 'The performance gate by hand: builds, tests and publishes what lies here, and measures it beside what is live, in turn, at `perf.perSecond` requests/s of headgate.yaml (1000), by its limits. Releases nothing. Exits 0 not slower, 1 slower, 10 cannot tell. Two versions that were found equal are not measured again.',
  options: {
    ...appOptions,
    against: { type: 'string', help: 'images to take for the old version; the others are those of live' },
    plan: { type: 'boolean', help: 'say what would be done, and why; start and do nothing' },
  },
  positionals: { min: 0, max: 0 },
  async run(call, shell) {
    const app = await openApp(call, shell);
    const host = await openHostOf(app, shell);
    const json = flag(call, 'json');
    const against = await oldImages(call, app, shell);
    const delivery = { app, host, check: false, reason: 'headgate perf', against };
    if (flag(call, 'plan')) {
      await showPlan(delivery, 'perf', json, shell);
      return 0;
    }
    await host.begin();
    await using ports = await openPorts(app, shell);
    const teller = { app, host, shell };
    const { reporters, record } = reportersOf(teller, { target: 'perf', json });
    const result = await deliver(delivery, 'perf', { ports, emit: presenter(shell, json), reporters }, shell);
    // Another name than that of the delivery's own gate, which this neither confirms nor refutes.
    const run = {
      target: 'perf',
      what: 'perf-beside-live',
      record: record(),
      result,
      ended: [],
      begun: undefined,
    } as const;
    await tellRun(run, teller);
    return result.exitCode;
  },
};

/** @throws {HeadgateError} `USAGE`, `REFUSED` for an image that is not pinned */
async function oldImages(call: Call, app: App, { signal }: Shell): Promise<Readonly<Record<string, string>>> {
  const named = Object.fromEntries((text(call, 'against') ?? '').split(',').filter(Boolean).map(parsePair));
  const images = { ...(await liveImages(app, signal)), ...named };
  const known = Object.keys(app.spec.services);
  const unknown = Object.keys(named).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new HeadgateError('USAGE', `Cannot compare with an image of "${unknown}" as there is no such service`, {
      hint: `name one of these: ${known.join(', ')}`,
    });
  }
  const missing = known.filter((name) => images[name] === undefined);
  if (missing.length === 0) return images;
  throw new HeadgateError('USAGE', `Cannot compare as nothing of ${missing.join(', ')} is live yet`, {
    hint: 'name an image of each with --against <service>=<host/name@sha256:…>, with commas between',
  });
}
