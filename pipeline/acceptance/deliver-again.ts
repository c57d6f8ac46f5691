import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findSupervisor, openRecords, parseSpec, readHead, stopSupervisor } from '@headgate/rollout';
import { anEar, type Heard } from '../../rollout/src/notify/ear.rig.ts';
import { makeVersion } from '../src/demo/versions.ts';
import { headOnce, repository } from './commands.ts';
import { acted, failures, headgate, type Ran } from './from-sources.ts';
import type { Report } from './report.ts';

const againMaxMs = 3_000;
const release = '  steps: [50%]\n  bake: 90m\n  watch: 1s\n  keepWarm: 5m\n';
const edit = {
  file: 'services/rating/src/handlers/handler.ts',
  find: 'const LIMIT_DEFAULT = 100;',
  replace: 'const LIMIT_DEFAULT = 108;',
};

/** A job of GitHub Actions, as far as Headgate asks. */
const github = { GITHUB_ACTIONS: 'true', GITHUB_TOKEN: 'token-of-the-job', GITHUB_REPOSITORY: 'kim/ratings' };

/** `headgate run deliver` from sources, again without a change, and again after its release was rolled back. */
export async function deliverAgain(report: Report): Promise<void> {
  await using ear = await anEar(201); // GitHub's API and somebody's webhook.
  // Below the repository, so that packages are found.
  const folder = join(repository, '.headgate', `d${process.pid}`);
  const state = join(folder, '.headgate');
  try {
    await makeVersion(repository, folder, []);
    const example = await readFile(join(repository, 'headgate.yaml'), 'utf8');
    const app = `${example.slice(0, example.indexOf('release:'))}release:\n${release}notify: { webhook: ${ear.url}/hook }\n`;
    await writeFile(join(folder, 'headgate.yaml'), app);
    const host = { ...github, GITHUB_API_URL: ear.url, GITHUB_STEP_SUMMARY: join(folder, 'summary.md') };

    const rollingBack = { ...host, GITHUB_STEP_SUMMARY: join(folder, 'rollback.md') };
    await writeFile(rollingBack.GITHUB_STEP_SUMMARY, '');

    const first = await deliver(folder);
    const promoted = ear.heard.filter(({ body }) => /[ ":]release 1 is promoted: /.test(body)).map(({ path }) => path);
    report.check('the webhook hears of a promotion, once', promoted.join() === '/hook', promoted.join());
    report.check('deliver from sources ends with a release', first.code === 0, failures(first));
    const again = await deliver(folder);
    report.check('deliver without a change exits 0', again.code === 0, failures(again));
    report.check(`it takes less than ${againMaxMs / 1_000} s`, again.ms < againMaxMs, `${again.ms} ms`);
    report.check('it executes nothing', acted(again) === '', acted(again));

    const planned = await headgate({ cwd: folder }, 'run', 'deliver', '--skip-check', '--plan');
    report.check('its plan has nothing to do', planned.code === 0 && !/^[>?]/m.test(planned.all), planned.all);

    await makeVersion(repository, join(folder, 'next'), [edit]);
    await writeFile(join(folder, edit.file), await readFile(join(folder, 'next', edit.file)));
    await writeFile(host.GITHUB_STEP_SUMMARY, '');
    const before = ear.heard.length;
    const delivering = deliver(folder, host);
    await untilHolding(app, state);
    await headgate({ cwd: folder }, 'hold', '--reason', 'acceptance');
    const back = await headgate({ cwd: folder, env: rollingBack }, 'rollback', '--reason', 'acceptance');
    const rolledBack = await delivering;
    report.check('rollback while it holds exits 0', back.code === 0, back.all.trim().slice(-300));
    report.check('deliver exits 11 when its release is rolled back', rolledBack.code === 11, String(rolledBack.code));
    const chain = acted(rolledBack);
    report.check(
      'only the chain of the service that was touched runs',
      chain === 'image:rating imagetest:rating publish',
      chain,
    );
    await stopped(report, folder);
    const why = await headgate({ cwd: folder }, 'why', 'image:rating');
    report.check('and why names the file', why.all.trimEnd().endsWith(`\n    file ${edit.file}`), why.all.trim());
    told(report, ear.heard.slice(before));
    const [summary, picture] = await Promise.all(
      ['summary.md', 'out/release-2.svg'].map((file) => readFile(join(folder, file), 'utf8').catch(() => '')),
    );
    const shown = /## Release 2\n```text\n[A-Z_]+: worse than tolerated/.test(summary ?? '');
    report.check('it tells how its release was judged, and leaves a picture', shown && /^<svg /.test(picture ?? ''));
    const refused = await deliver(folder);
    report.check('the same deliver again exits 11', refused.code === 11, String(refused.code));
    report.check('and names the release', /release 2\b/i.test(refused.all), refused.all.trim().slice(-300));
    await planBesideStopped(report, folder, state);
  } finally {
    await stopSupervisor(state, AbortSignal.timeout(60_000));
    await rm(folder, { recursive: true, force: true });
  }
}

/** Jenkins and others show which case failed. */
async function stopped(report: Report, folder: string): Promise<void> {
  const junit = await readFile(join(folder, 'out/junit/pipeline.xml'), 'utf8');
  const stops = [...junit.matchAll(/classname="[^"]*\.release" name="([^"]*)" [^>]*><failure/g)].map(
    ([, name]) => name,
  );
  report.check('JUnit says what stopped the release', stops.join() === 'a person', stops.join());
}

/** What the commit, from both jobs, and the webhook heard of a release that was rolled back. */
function told(report: Report, heard: readonly Heard[]): void {
  const isTold = ({ body }: Heard) => /"state":"failure"/.test(body) && /[ ":]release 2 was rolled back: /.test(body);
  const [hook, commit] = ['/hook', '/repos/kim/ratings/statuses/'].map((path) =>
    heard.filter((one) => one.path.startsWith(path)),
  );
  const seen = heard.map(({ path, body }) => `${path} ${body}`).join('\n');
  const contexts = commit?.filter(isTold).flatMap(({ body }) => /"context":"([\w/]+)"/.exec(body)?.[1] ?? []);
  report.check(
    'the commit hears of it, once from whoever delivered it and once from whoever took it back',
    contexts?.sort().join() === 'headgate/deliver,headgate/release' && commit?.length === 2,
    seen,
  );
  report.check('and the webhook once', hook?.filter(isTold).length === 1, seen);
  const acts = heard.flatMap(({ body }) => /"text":"ratings, act: release 2: ([\w ]+) by /.exec(body)?.[1] ?? []);
  report.check(
    'the webhook hears what was done by hand, and nothing else',
    acts.join() === 'held,rolled back' && hook?.length === 3,
    seen,
  );
}

async function planBesideStopped(report: Report, folder: string, state: string): Promise<void> {
  await headgate({ cwd: folder }, 'cluster', 'down');
  const blind = await headgate({ cwd: folder }, 'run', 'deliver', '--skip-check', '--plan');
  const named = /^\? publish .*local platform, .* must run$/m.test(blind.all);
  report.check('a plan beside a stopped platform names what it cannot see', blind.code === 0 && named, blind.all);
  const running = await findSupervisor(state, AbortSignal.timeout(5_000));
  report.check('and starts nothing', running === undefined);
}

function deliver(cwd: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return headgate({ cwd, env }, 'run', 'deliver', '--skip-check', '--json');
}

async function untilHolding(app: string, state: string): Promise<void> {
  const parsed = parseSpec(app, { file: 'headgate.yaml' });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  const { journal } = openRecords(parsed.spec, state);
  await headOnce(
    () => readHead(journal, parsed.spec.app, AbortSignal.timeout(5_000)),
    ({ release }) => release?.id === 2 && release.state.phase.kind === 'holding',
  );
}
