import type { Running } from './commands.ts';
import type { Report } from './report.ts';
import type { Stage } from './stage.ts';

/** There is nothing to compare it with: whatever a part is about comes after it. */
export async function releaseFirst(stage: Stage, report: Report): Promise<void> {
  const first = await stage.release('v1');
  report.check('the first release is promoted', first.code === 0, first.err.trim());
}

/** A release of this version, once it holds at a weight. */
export async function holding(stage: Stage, version: string, ...args: readonly string[]): Promise<Running> {
  const releasing = stage.start('release', ...(await stage.images(version)), ...args, '--reason', version);
  await stage.until(({ release }) => release?.reason === version && release.state.phase.kind === 'holding');
  return releasing;
}
