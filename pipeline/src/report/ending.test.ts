import { describe, expect, test } from '@jest/globals';
import { anEar } from '../../../rollout/src/notify/ear.rig.ts';
import type { Happening, RunEvent } from '../event.ts';
import { openHost } from '../host/github.ts';
import { openPlainGuard } from '../host/guard.ts';
import { redactor } from '../run/redact.ts';
import { type Ending, sentenceOf, type Told, tellEnding } from './ending.ts';
import { recordReporter } from './record.ts';
import { aRun, play } from './run.rig.ts';

const commit = 'a'.repeat(40);
const ending: Ending = {
  app: 'ratings',
  environment: 'prod',
  what: 'deliver',
  exitCode: 11,
  text: 'release 7 was rolled back: it fails with hunter2-hunter2',
  commit,
  release: 7,
  actor: 'actions/12/1',
};

/** What the commit, at GitHub's API, and the webhook heard, each on a server of its own, and what was warned of. */
async function tellTo(told: Ending & Partial<Told>, codes = { api: 201, hook: 200 }) {
  await using api = await anEar(codes.api);
  await using hook = await anEar(codes.hook);
  const env = {
    GITHUB_TOKEN: 'token-of-the-job',
    GITHUB_REPOSITORY: 'kim/ratings',
    GITHUB_API_URL: api.url,
    GITHUB_SERVER_URL: 'https://github.example',
    GITHUB_RUN_ID: '12',
  };
  const host = openHost({ root: '/', env, write: () => {}, guard: openPlainGuard(() => {}), isTerminal: false });
  const warned: string[] = [];
  const redact = redactor({ PASSWORD: 'hunter2-hunter2' });
  const warn = (line: string) => void warned.push(line);
  await tellEnding(
    { byDriver: false, ...told },
    { host, webhook: `${hook.url}/t0ken`, redact, warn },
    AbortSignal.timeout(20_000),
  );
  return { api: api.heard, hook: hook.heard.map(({ body }) => JSON.parse(body)), warned };
}

describe('tellEnding()', () => {
  test('tells the commit and the webhook how it ended, in one sentence without secrets', async () => {
    const { api, hook, warned } = await tellTo(ending);

    expect(api[0]?.path).toBe(`/repos/kim/ratings/statuses/${commit}`);
    expect(JSON.parse(api[0]?.body ?? '')).toMatchObject({
      state: 'failure',
      context: 'headgate/prod/deliver',
      description: 'release 7 was rolled back: it fails with ***',
    });
    expect(hook).toEqual([
      {
        ...ending,
        version: 1,
        state: 'failure',
        url: 'https://github.example/kim/ratings/actions/runs/12',
        text: 'ratings prod, deliver: release 7 was rolled back: it fails with ***',
      },
    ]);
    expect(warned).toEqual([]);
  });

  test.each([
    { exitCode: 0, state: 'success' },
    { exitCode: 20, state: 'pending' },
    { exitCode: 12, state: 'failure' },
    { exitCode: 69, state: 'error' },
    { exitCode: 143, state: 'error' },
  ])('$exitCode is $state for a commit', async ({ exitCode, state }) => {
    const { api } = await tellTo({ ...ending, exitCode });

    expect(JSON.parse(api[0]?.body ?? '')).toMatchObject({ state });
  });

  test('the webhook hears nothing of a run that passed and released nothing, nor a commit of what is not committed', async () => {
    const { api, hook } = await tellTo({ ...ending, exitCode: 0, release: undefined, commit: undefined });

    expect([api, hook]).toEqual([[], []]);
  });

  test('what the driver has told the webhook is told to the commit alone', async () => {
    const { api, hook } = await tellTo({ ...ending, byDriver: true });

    expect([api.length, hook.length]).toEqual([1, 0]);
  });

  test('an ear that does not listen keeps nothing from the other one, and is only warned of', async () => {
    const { api, hook, warned } = await tellTo(ending, { api: 403, hook: 410 });

    expect([api.length, hook.length]).toEqual([1, 1]);
    expect(warned.sort()).toEqual([
      expect.stringMatching(/could not be told to the commit: .*must answer 201: current value is "403"$/),
      expect.stringMatching(/could not be told to the webhook: Error: 127.0.0.1:\d+ answered 410$/),
    ]);
  });
});

const end = { kind: 'run.end', outcome: 'done', ms: 4_000 } as const;
const step = 'publish'; // The last one of the run.
const note = { level: 'notice', message: 'revision 8963caac is live' } as const;
test.each<{ says: string; happenings: readonly Happening[]; sentence: string }>([
  { says: 'the step that failed and why', happenings: [], sentence: 'imagetest:proxy: failed: late' },
  { says: 'how long it took', happenings: [end], sentence: 'done in 4.0 s' },
  {
    says: 'who took its place',
    happenings: [
      { kind: 'step.skip', step: 'imagetest:proxy', why: 'superseded by commit 4d4d4d4d' },
      { kind: 'step.skip', step, why: 'needs imagetest:proxy' },
      end,
    ],
    sentence: 'imagetest:proxy: superseded by commit 4d4d4d4d',
  },
  {
    says: 'the last remark of its last step, which is about no place in the sources',
    happenings: [
      { kind: 'annotation', step, note },
      { kind: 'annotation', step, note: { ...note, message: 'unused', file: 'src/main.ts' } },
      { kind: 'annotation', step: 'check', note: { ...note, message: 'checked' } },
      end,
    ],
    sentence: note.message,
  },
])('sentenceOf() says $says', ({ happenings, sentence }) => {
  let said = '';
  const reporter = recordReporter((record) => {
    said = sentenceOf(record);
  });

  play(reporter, [...aRun('late'), ...happenings.map((one) => ({ at: 1, ...one }) as RunEvent)]);

  expect(said).toBe(sentence);
});
