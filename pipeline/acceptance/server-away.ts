import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'nats';
import { whileHeld } from './cluster/fault.ts';
import { checkOutside } from './outside.ts';
import { releaseFirst } from './releasing.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage, Stage } from './stage.ts';

const awayMs = 4_000;

/**
 * The API server hangs at 25 %, at the moment in which the candidate turns bad: live takes over the candidate's messages meanwhile, and the
 * weight goes to 0 as soon as the server answers again.
 */
export async function serverAway(report: Report, _scope: Scope, open: OpenStage): Promise<void> {
  await using stage = await open('  latency: rollback\n  steps: [25%]\n  bake: 3m\n  watch: 10s\n  keepWarm: 1m\n');
  await releaseFirst(stage, report);
  const load = stage.load(100);
  const releasing = stage.start(
    'release',
    ...(await stage.images('answers 500 after 25 s')),
    '--reason',
    'server away',
  );
  await stage.until(({ release }) => release?.id === 2 && release.state.phase.kind === 'holding');
  while (!load.exchanges.some(({ status }) => status === 500)) await sleep(5);
  const away = performance.now();
  const adopted = await whileHeld('kube-apiserver', () => adoptedAfter(stage, awayMs));
  const back = performance.now();
  report.check(
    'live adopts within 2 s while the API server hangs',
    adopted !== undefined && adopted <= 2_000,
    `${adopted} ms after the first bad answer`,
  );
  const ended = await releasing.ended;
  report.check('the release is rolled back', ended.code === 11, ended.code === 11 ? '' : `${ended.out} ${ended.err}`);
  const { exchanges } = load;
  const lastBad = Math.max(...exchanges.filter(({ status }) => status === 500).map(({ at }) => at));
  const closedMs = Math.round(lastBad - (performance.timeOrigin + back));
  report.check('no answer is bad 2 s after the server is back', closedMs <= 2_000, `last one after ${closedMs} ms`);
  const { candidate } = (await stage.head()).release ?? {};
  const lastAt = Math.max(...exchanges.filter(({ lane }) => lane === candidate).map(({ at }) => at));
  const zeroMs = Math.round(lastAt - (performance.timeOrigin + back));
  report.check(
    "the candidate's weight is 0 within 2 s of the server's return",
    zeroMs <= 2_000,
    `its last request came after ${zeroMs} ms`,
  );
  report.say(`the server was away for ${Math.round(back - away)} ms`);
  await checkOutside({ ...stage, load }, report);
}

/** @returns after how many ms live's workers were told to pull from both lanes, `undefined`: not in time */
async function adoptedAfter({ nats }: Stage, maxMs: number): Promise<number | undefined> {
  const connection = await connect({ servers: nats });
  try {
    const sources = await connection.jetstream().views.kv('headgate');
    const began = performance.now();
    for (; performance.now() - began < maxMs; await sleep(10)) {
      const [blue, green] = await Promise.all([
        sources.get('sources.ratings.blue'),
        sources.get('sources.ratings.green'),
      ]);
      if (blue?.json<string[]>().length === 2 && green?.json<string[]>().length === 0) {
        const took = Math.round(performance.now() - began);
        await sleep(maxMs - took);
        return took;
      }
    }
    return undefined;
  } finally {
    await connection.close();
  }
}
