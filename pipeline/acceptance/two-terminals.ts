import { median, type Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage } from './stage.ts';

const heardMaxMs = 1_000;

/** Two who act at once: one wins, the other is told why not. A stale terminal cannot act on another release. */
export async function twoTerminals(report: Report, _scope: Scope, open: OpenStage): Promise<void> {
  await using stage = await open('  steps: [5%, 25%, 50%]\n  bake: 90m\n  watch: 1s\n  keepWarm: 5m\n');
  await stage.release('v1');
  const images = await stage.images('v2');
  const releasing = stage.start('release', ...images, '--reason', 'two terminals');
  await stage.until(({ release }) => release?.state.phase.kind === 'holding');

  const heard: number[] = [];
  for (let n = 0; n < 5; n++) heard.push(await stage.takenUp('hold'), await stage.takenUp('resume'));
  report.check(
    "another person's wish is taken up in under 1 s",
    Math.max(...heard) < heardMaxMs,
    `median ${median(heard)} ms, worst of ${heard.length} ${Math.max(...heard)} ms`,
  );
  const stale = await stage.run('promote', '--release', '1');
  report.check('promote of another release exits 12', stale.code === 12, stale.err.trim());
  const steps = await stage.atOnce(await stage.standStill(releasing), 'step');
  report.check('two steps at once go one step', codes(steps) === '0 12', reasons(steps));
  const seen = await stage.until(({ release }) => release?.state.phase.kind === 'holding');
  report.check(
    'the release is at its second weight',
    seen.release?.state.phase.kind === 'holding' && seen.release.state.phase.step === 1,
  );
  const promotes = await stage.atOnce(await stage.standStill(releasing), 'promote');
  report.check('of two promotes one wins', codes(promotes) === '0 12', reasons(promotes));
  report.check('the release is promoted', (await releasing.ended).code === 0);
  const next = await stage.images('v3');
  const releases = [
    stage.start('release', ...next, '--reason', 'twice'),
    stage.start('release', ...next, '--reason', 'twice'),
  ];
  await stage.until(({ release }) => release?.reason === 'twice' && release.state.phase.kind === 'holding');
  await stage.run('rollback');
  const ended = await Promise.all(releases.map((release) => release.ended));
  const { history } = await stage.head();
  report.check(
    'the same release started twice is one release, and both hear how it ended',
    codes(ended) === '11 11' && history.length === 3,
    reasons(ended),
  );
}

function codes(ran: readonly { readonly code: number }[]): string {
  return ran
    .map(({ code }) => code)
    .sort((a, b) => a - b)
    .join(' ');
}

function reasons(ran: readonly { readonly err: string }[]): string {
  return ran
    .map(({ err }) => err.trim())
    .filter((err) => err !== '')
    .join('; ');
}
