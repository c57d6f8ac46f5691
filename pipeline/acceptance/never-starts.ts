import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { digestOf, mediaTypes } from '../src/image/layout.ts';
import { getDocument, parsePinned, putDocument } from '../src/registry/client.ts';
import { parseRepository } from '../src/registry/http.ts';
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
    what: 'an image that no node can pull',
    reason: 'image',
    images: (good) => Promise.all(good.map((one) => (one.startsWith('rating=') ? elsewhere(one) : one))),
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
  readonly images?: (good: readonly string[]) => Promise<readonly string[]>;
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
  await nobodyHas(stage, report);
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

/** What the registry has not begins nothing. */
async function nobodyHas(stage: ClusterStage, report: Report): Promise<void> {
  const wanted = (await stage.images('v2')).map((one) => one.replace(/(?<=^rating=.*@).*$/, nobody));
  const { code, err } = await stage.run('release', ...wanted, '--reason', 'nobody has it');
  const { release } = await stage.head();
  const isRefused = code === 12 && err.includes(nobody) && release?.id === 1;
  report.check('an image that nobody has is refused, and no release begins', isRefused, `${code}: ${err}`);
}

/** The same for other machines alone: an index without the nodes' platform. */
async function elsewhere(pair: string): Promise<string> {
  const { repository, digest } = parsePinned(pair.slice('rating='.length));
  const address = parseRepository(repository);
  const signal = AbortSignal.timeout(10_000);
  const image = await getDocument(address, digest, mediaTypes.manifest, signal);
  const platform = { os: 'linux', architecture: 's390x' };
  const manifests = [{ mediaType: mediaTypes.manifest, digest, size: image?.length ?? 0, platform }];
  const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }));
  const name = digestOf(body);
  await putDocument(address, { name, mediaType: mediaTypes.index, body }, signal);
  return `rating=${repository}@${name}`;
}

async function trial(
  stage: ClusterStage,
  { what, reason, version = 'v2', says, images = async (good) => good }: Case,
  report: Report,
): Promise<void> {
  const wanted = await images(await stage.images(version));
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
