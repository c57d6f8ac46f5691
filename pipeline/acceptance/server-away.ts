import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'nats';
import type { Load } from '../src/perf/open-loop.ts';
import { whileHeld } from './cluster/fault.ts';
import { checkOutside } from './outside.ts';
import { releaseFirst } from './releasing.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage, Stage } from './stage.ts';

/** After the first bad answer the server stays away for so long. */
const awayMs = 4_000;

/** Every candidate is bad by then. */
const badMaxMs = 90_000;

/** How long it is away by then. A lock of the cluster lives for five seconds: over the second case nobody holds one any more. */
const cases = [
  { name: 'turns bad as the server goes', version: 'answers 500 after 25 s', beforeMs: 0 },
  { name: 'turns bad while it is away', version: 'answers 500 after 40 s', beforeMs: 10_000 },
] as const;

type Case = (typeof cases)[number];

/**
 * The API server hangs at 25 %, and the candidate turns bad: live takes over the candidate's messages meanwhile, and the weight goes to 0 as
 * soon as the server answers again.
 */
export async function serverAway(report: Report, _scope: Scope, open: OpenStage): Promise<void> {
  await using stage = await open('  latency: rollback\n  steps: [25%]\n  bake: 3m\n  watch: 10s\n  keepWarm: 1m\n');
  await releaseFirst(stage, report);
  const load = stage.load(100);
  for (const one of cases) await turnsBad(stage, load, one, report);
  await checkOutside({ ...stage, load }, report);
}

async function turnsBad(stage: Stage, load: Load, { name, version, beforeMs }: Case, report: Report): Promise<void> {
  const check = (what: string, isSo: boolean, why: string) => report.check(`${name}: ${what}`, isSo, why);
  const begun = Date.now();
  const bad = () => load.exchanges.filter(({ status, at }) => status === 500 && at > begun).map(({ at }) => at);
  const untilBad = async () => {
    for (const end = Date.now() + badMaxMs; bad().length === 0 && Date.now() < end; ) await sleep(5);
  };
  const releasing = stage.start('release', ...(await stage.images(version)), '--reason', name);
  const { release } = await stage.until(
    (head) => head.release?.reason === name && head.release.state.phase.kind === 'holding',
  );
  const turning = untilBad();
  if (beforeMs === 0) await turning;
  const away = Date.now();
  const adopted = await whileHeld('kube-apiserver', async () => {
    await turning;
    return adoptedAfter(stage, awayMs);
  });
  const back = Date.now();
  const [firstBad = Number.NaN] = bad();
  const before = Math.round(firstBad - away);
  if (beforeMs > 0) check('the server had been away for longer than a lock lives', before >= beforeMs, `${before} ms`);
  check(
    'live adopts within 2 s',
    adopted !== undefined && adopted <= 2_000,
    `${adopted} ms after the first bad answer`,
  );
  const { code, out, err } = await releasing.ended;
  check('the release is rolled back', code === 11, code === 11 ? '' : `${out} ${err}`);
  const badFor = Math.round(Math.max(...bad()) - back);
  check('no answer is bad 2 s after the server is back', badFor <= 2_000, `last one after ${badFor} ms`);
  const own = load.exchanges.filter(({ lane, at }) => lane === release?.candidate && at > begun).map(({ at }) => at);
  const zero = Math.round(Math.max(...own) - back);
  check(
    "the candidate's weight is 0 within 2 s of its return",
    zero <= 2_000,
    `its last request came after ${zero} ms`,
  );
  report.say(`the server was away for ${back - away} ms`);
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
