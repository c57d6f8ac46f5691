import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { objectsOf } from './cluster/objects.ts';
import { type ClusterStage, openClusterStage } from './cluster/stage.ts';
import { checkOutside } from './outside.ts';
import { releaseFirst } from './releasing.ts';
import type { Report } from './report.ts';

const knownMaxMs = 20_000;
const nobody = `sha256:${'0'.repeat(64)}`;

/** What a candidate dies of before it gets weight, and the reason that Headgate must name. */
const cases: readonly Case[] = [
  {
    what: 'an image that nobody has',
    reason: 'image',
    images: (good) => good.map((one) => one.replace(/(?<=^rating=.*@).*$/, nobody)),
  },
  { what: 'a crash loop', reason: 'crash', version: 'exits at its start', says: 'started' },
  { what: 'never ready', reason: 'probe', version: 'is never ready' },
  { what: 'no node that it may run on', reason: 'schedule', around: withoutNode },
  { what: 'more than the quota', reason: 'quota', around: withQuota },
];

type Case = {
  readonly what: string;
  readonly reason: string;
  readonly version?: string;
  /** The event that its log ends with. */
  readonly says?: string;
  readonly images?: (good: readonly string[]) => readonly string[];
  /** What is wrong around it, while it starts. */
  readonly around?: (stage: ClusterStage, act: () => Promise<void>) => Promise<void>;
};

/** On the cluster: the reason is named in time, the candidate never gets weight, and live is not touched. */
export async function neverStarts(report: Report): Promise<void> {
  await using stage = await openClusterStage(
    '  latency: rollback\n  steps: [50%]\n  bake: 2s\n  watch: 2s\n',
    'controller',
  );
  await releaseFirst(stage, report);
  const load = stage.load(50);
  const before = await objectsOf(stage, (await stage.head()).live);
  for (const one of cases) {
    await (one.around ?? plainly)(stage, () => trial(stage, one, report));
  }
  const after = await objectsOf(stage, (await stage.head()).live);
  report.check(
    'live is not touched: same objects, same generations, same pods',
    after === before,
    after === before ? '' : `${before}\n${after}`,
  );
  await checkOutside({ ...stage, load }, report);
}

async function trial(
  stage: ClusterStage,
  { what, reason, version = 'v2', says, images = (good) => good }: Case,
  report: Report,
): Promise<void> {
  const wanted = images(await stage.images(version));
  const { code, out } = await stage.run('release', ...wanted, '--insist', '--reason', what);
  const { decisions, history, release } = await stage.head();
  const own = decisions.filter((one) => one.release === release?.id);
  const began = own.find(({ after }) => after.phase.kind === 'starting')?.look.now ?? 0;
  const known = own.find(({ after }) => after.phase.kind === 'rollingBack')?.look.now ?? Number.POSITIVE_INFINITY;
  const weighted = own.some(({ after }) => after.phase.kind === 'settling');
  const text = history.at(-1)?.text ?? '';
  report.check(
    `${what}: rolled back as "${reason}" in under 20 s, without any weight`,
    code === 11 && text.includes(`${reason}: `) && known - began < knownMaxMs && !weighted,
    `${known - began} ms: ${text}`,
  );
  if (says === undefined) return;
  const line = new RegExp(`^ {4}\\| .*"event":"${says}"`, 'm').exec(out)?.[0];
  report.check(`${what}: who released it is shown what the pod said last`, line !== undefined, line ?? out);
}

async function plainly(_stage: ClusterStage, act: () => Promise<void>): Promise<void> {
  await act();
}

async function withoutNode({ file }: ClusterStage, act: () => Promise<void>): Promise<void> {
  const path = join(dirname(file), 'services/rating/deploy/overlays/staging/kustomization.yaml');
  const before = await readFile(path, 'utf8');
  const patch =
    '  - target: { kind: Deployment }\n    patch: |\n      - { op: add, path: /spec/template/spec/nodeSelector, value: { disk: golden } }\n';
  await writeFile(path, `${before}${patch}`);
  await act();
  await writeFile(path, before);
}

async function withQuota({ kubectl }: ClusterStage, act: () => Promise<void>): Promise<void> {
  const pods = (await kubectl(['get', 'pods', '-o', 'name'])).trim().split('\n').length;
  await kubectl(['create', 'quota', 'full', `--hard=pods=${pods}`]);
  await act();
  await kubectl(['delete', 'quota', 'full']);
}
