import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  duration,
  type Emit,
  ensureSupervisor,
  type HeadgateError,
  openPlatform,
  openRecords,
  type Platform,
  readHead,
  type Spec,
  stopSupervisor,
} from '@headgate/rollout';
import { deliver } from '../cli/deliver.ts';
import { isForPeople, lineOf } from '../cli/present.ts';
import { paint, type Shell } from '../cli/shell.ts';
import { openHost } from '../host/host.ts';
import { compare, type Ledger, readRows, userRequest } from '../perf/ledger.ts';
import { type Load, startLoad } from '../perf/open-loop.ts';
import { plainReporter } from '../report/console.ts';
import { openStage, type Stage } from './picture.ts';
import { type Edit, makeVersion } from './versions.ts';

/** The demo has no three minutes for a bake. Alpha, beta and tolerances are those of any release. */
const shorter = { bakeMs: 24_000, watchMs: 12_000, keepWarmMs: 120_000 };
const perSecond = 200;

type Version = {
  readonly name: string;
  readonly words: string;
  readonly edits: readonly Edit[];
  readonly exitCode: number;
};

const versions: readonly Version[] = [
  { name: 'v1', words: 'the first release', edits: [], exitCode: 0 },
  {
    name: 'v2',
    words: 'a good release: lists are longer',
    edits: [
      {
        file: 'services/rating/src/handlers/handler.ts',
        find: 'const LIMIT_DEFAULT = 100;',
        replace: 'const LIMIT_DEFAULT = 200;',
      },
    ],
    exitCode: 0,
  },
  {
    name: 'v3',
    words: 'a bad release: it passes every test, and fails after 20 s of life',
    edits: [
      {
        file: 'services/rating/src/dispatch.ts',
        find: 'store: RatingRepository): Promise<Reply> {\n',
        replace:
          "store: RatingRepository): Promise<Reply> {\n  if (process.uptime() > 20) return refusalOf(500, [{ path: '', message: 'out of handles' }]);\n",
      },
    ],
    exitCode: 11,
  },
];

/** Tells the whole story on this machine. @returns 0 if every release ended as it should and no request was lost */
export async function tell(spec: Spec, repository: string, shell: Shell): Promise<number> {
  const state = join(repository, '.headgate', 'demo');
  const stage = openStage(shell);
  const short: Spec = { ...spec, release: { ...spec.release, ...shorter } };
  await clear(state);
  try {
    stage.say(
      paint(
        shell,
        'bold',
        `Headgate on this machine: ${short.app}, ${perSecond} requests/s by an outside client, half of them POST`,
      ),
    );
    stage.say(
      `bake shortened to ${duration(shorter.bakeMs)}, watch to ${duration(shorter.watchMs)}; error bounds and tolerances as always`,
    );
    const onProgress = (doing: string) => stage.say(`… ${doing}`);
    const { info } = await ensureSupervisor(
      { app: short.app, folder: state, endWith: process.pid, onProgress },
      shell.signal,
    );
    await using ports = await openPlatform(short, { state, signal: shell.signal, say: onProgress });
    return await play({ spec: short, repository, state, ports, stage, shell, origin: info.urls.http });
  } finally {
    await clear(state);
  }
}

type Scene = {
  readonly spec: Spec;
  readonly repository: string;
  readonly state: string;
  readonly ports: Platform;
  readonly stage: Stage;
  readonly shell: Shell;
  readonly origin: string;
};

async function play(scene: Scene): Promise<number> {
  let load: Load | undefined;
  const wrong: string[] = [];
  try {
    for (const version of versions) {
      const code = await release(scene, version, load);
      if (scene.shell.signal.aborted) return 130;
      if (code !== version.exitCode)
        wrong.push(`${version.name} ended with exit code ${code} instead of ${version.exitCode}`);
      load ??= startLoad({
        origin: scene.origin,
        perSecond,
        make: userRequest,
      });
    }
    const exchanges = (await load?.stop()) ?? [];
    const ledger = compare(exchanges, await readRows(scene.origin, scene.shell.signal));
    wrong.push(...(await sumUp(scene, ledger)));
  } finally {
    await load?.stop();
  }
  for (const words of wrong) scene.stage.say(paint(scene.shell, 'red', words));
  return wrong.length === 0 ? 0 : 1;
}

async function release(scene: Scene, version: Version, load: Load | undefined): Promise<number> {
  const { stage, shell, state, repository, spec, ports } = scene;
  stage.say('');
  stage.say(paint(shell, 'bold', `${version.name}, ${version.words}`));
  const folder = join(state, 'versions', version.name);
  await makeVersion(repository, folder, version.edits);
  const stop = load === undefined ? () => {} : stage.watch(openRecords(spec, state), spec, load);
  const reporter = plainReporter((text) => stage.say(text.trimEnd()));
  const emit: Emit = (occurrence) => {
    if (isForPeople(occurrence)) stage.say(`  ${lineOf(occurrence, shell)}`);
  };
  try {
    const { out: write, env, guard } = shell;
    const host = await openHost({ root: folder, env, write, guard, isTerminal: false });
    const app = { spec, folder, state, options: [] }; // No other command is run beside it.
    const delivery = { app, host, check: false, reason: `demo ${version.name}` };
    return (await deliver(delivery, 'deliver', { ports, emit, reporters: [reporter] }, shell)).exitCode;
  } finally {
    stop();
  }
}

/** What the outside client found. Failures are the bad version's own only if the mark of the answer says so. */
async function sumUp({ stage, shell, ports, spec }: Scene, ledger: Ledger): Promise<readonly string[]> {
  const head = await readHead(ports.journal, spec.app, shell.signal);
  const bad = head.quarantined.map(({ revision }) => revision);
  const own = bad.reduce((sum, revision) => sum + (ledger.failedBy[revision] ?? 0), 0);
  const others = Object.values(ledger.failedBy).reduce((sum, n) => sum + n, 0) - own;
  stage.say('');
  stage.say(paint(shell, 'bold', 'What the client outside saw'));
  stage.say(`  ${ledger.requests} requests, ${ledger.posts} of them POST`);
  stage.say(`  ${own} failed in the bad version before its weight was 0; ${others} failed anywhere else`);
  stage.say(
    `  ${ledger.unanswered.length} without an answer, ${ledger.lost.length} lost, ${ledger.doubled.length} done twice, ${ledger.untold.length} done without a 2xx`,
  );
  for (const { id, outcome, startedAt, endedAt, text } of head.history)
    stage.say(`  release ${id} ${outcome} after ${duration(endedAt - startedAt)}: ${text}`);
  const problems = {
    'failed outside of the bad version': others,
    unanswered: ledger.unanswered.length,
    lost: ledger.lost.length,
    'done twice': ledger.doubled.length,
    'done without a 2xx': ledger.untold.length,
  };
  return Object.entries(problems).flatMap(([words, count]) => (count === 0 ? [] : [`${count} requests were ${words}`]));
}

/** Also what an earlier demo left that was killed. */
async function clear(state: string): Promise<void> {
  try {
    await stopSupervisor(state, AbortSignal.timeout(60_000));
  } catch (error) {
    if (!(error instanceof Error) || (error as HeadgateError).code !== 'SUPERVISOR_UNREACHABLE') throw error;
  }
  await rm(state, { recursive: true, force: true });
}
