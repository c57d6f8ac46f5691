import {
  falseAlarms,
  type Observation,
  observe,
  observedText,
  openProcesses,
  type Trial,
  trialText,
  withDeadline,
} from '@headgate/rollout';
import { appOptions, openApp, openJournal } from './open.ts';
import { clock } from './present.ts';
import { chance, flag, type Shell, type Subcommand, span } from './shell.ts';

const forMsDefault = 3_600_000;
const alphaDefault = 0.01;

export const command: Subcommand = {
  usage: '[--for 1h] [--alpha 0.01] [--json]',
  help: `Judges the live lane against itself: half of its processes play live, the other half the candidate, one trial after the other, each as long as a release would be compared. All are one version, so every rollback is a false alarm; their rate is told beside alpha. Reads counts and moves nothing. Ctrl-C ends it early, with the report.

It shows whether failures and latencies of your processes cluster more than the judge allows for, or one process or node differs from the others: a candidate's would differ likewise.
It does not show what only the router counts (a dead process reports nothing), other weights than one half, the queue and the share of traffic (a lane has one of each), nor that a bad release is found. Requests are not split at random instead, because that tears apart what comes in clusters, and would show the judge's arithmetic alone.
It takes about 300 trials without an alarm to show 1 %, and 30 to show 10 % (--alpha 0.1). The first minute is history.`,
  options: {
    ...appOptions,
    for: { type: 'string', help: 'how long, e.g. 30m or 24h (default 1h)' },
    alpha: { type: 'string', help: 'chance of a false alarm that the judge may take in each trial (default 0.01)' },
  },
  positionals: { min: 0, max: 0 },
  async run(call, shell) {
    const forMs = span(call, 'for') ?? forMsDefault;
    const alpha = chance(call, 'alpha') ?? alphaDefault;
    const app = await openApp(call, shell);
    const { journal } = openJournal(app);
    await using opened = await openProcesses(app.spec, app.state);
    const json = flag(call, 'json');
    const until = withDeadline(shell.signal, forMs);
    const trials: Trial[] = [];
    for await (const seen of observe({ spec: app.spec, journal, processes: opened.processes, alpha }, until)) {
      if (seen.kind === 'trial') trials.push(seen.trial);
      if (json) shell.out(`${JSON.stringify(seen)}\n`);
      else tell(seen, shell);
    }
    shell.out(
      json
        ? `${JSON.stringify({ kind: 'sum', alpha, ...falseAlarms(trials) })}\n`
        : `${observedText(trials, alpha).join('\n')}\n`,
    );
    return 0;
  },
};

function tell(seen: Observation, { out, err }: Shell): void {
  if (seen.kind === 'unseen') err(`${seen.message}\n`);
  else out(`${clock(Date.now())} ${seen.kind === 'trial' ? trialText(seen.trial) : begunText(seen)}\n`);
}

function begunText({ lane, settings }: Extract<Observation, { kind: 'begun' }>): string {
  return `lane ${lane} against itself, by ${['failed', 'refused', ...settings.slow].join(', ')}`;
}
