/** The image test: the exact bytes that would be published, run beside real servers, before any registry sees them. */

import { join } from 'node:path';
import { type Adoption, migrationMaxMs, withDeadline } from '@headgate/rollout';
import type { PulledImage } from '@headgate/rollout/local';
import { type Descriptor, readLayout } from '../layout.ts';
import { findCrossed } from './crossed.ts';
import { type App, type Ground, openGround } from './ground.ts';
import { type Instance, startInstance, untilReady } from './instance.ts';
import { checkSize, findBakedSecrets, findForbidden } from './layers.ts';
import { lackOfMigration } from './migrate.ts';
import { proxyChecks } from './proxy.ts';
import {
  type Check,
  type CheckPlan,
  expectNone,
  type Finding,
  failed,
  type ImageTestReport,
  passed,
  runChecks,
} from './report.ts';
import type { RecordedRequest } from './requests.ts';
import { startSandboxed } from './sandbox.ts';
import { workerChecks } from './worker.ts';

export type ImageTestRequest = App & {
  /** The service whose image is tested. */
  readonly service: string;
  /** Folder of the image's OCI layout. */
  readonly layout: string;
  /** All but the last layer are an image of somebody else, named by digest: what they hold and weigh is no matter of this test. */
  readonly foreignBase?: boolean;
  /** Where images are unpacked and kept by digest; may be the one that lanes use. */
  readonly imageFolder: string;
  /** For the servers of the test; removed with them. */
  readonly workFolder: string;
  /** At least one for each subject of every worker. */
  readonly requests: readonly RecordedRequest[];
  /** `host:port/name@sha256:…` of each service that is live now; `undefined` before the first release. */
  readonly live: Readonly<Record<string, string>> | undefined;
  /** What becomes of messages after a rollback; `undefined`: there is no queue. */
  readonly adopt: Adoption | undefined;
  /** How long a stopping instance may take. */
  readonly graceMs: number;
};

/** What the checks of a running instance share. */
export type Trial = {
  readonly request: ImageTestRequest;
  readonly ground: Ground;
  readonly image: PulledImage;
  readonly instance: Instance;
};

const readyMaxMs = 10_000;

/**
 * Runs all checks and reports each; an image that fails one is a report, not an error.
 * @throws {HeadgateError} `IMAGE_CORRUPT`, `SERVER_MISSING`, `SERVER_START` if the test itself cannot be made
 */
export async function testImage(request: ImageTestRequest, signal: AbortSignal): Promise<ImageTestReport> {
  const { manifest, contents } = await readLayout(request.layout);
  await using ground = await openGround(request, request, signal);
  const image = await ground.unpack(request.layout, signal);
  const reportOf = (checks: readonly Check[]): ImageTestReport => ({
    service: request.service,
    digest: manifest.digest,
    ok: checks.every(({ outcome }) => outcome !== 'failed'),
    checks,
  });
  const before = await runChecks(migrationChecks(ground, request), signal);
  if (!reportOf(before).ok) return reportOf(before); // No version can be told by tables that are not there.
  await using instance = await startInstance(ground, { service: request.service, lane: 'blue', image });
  const trial = { request, ground, image, instance };
  const layers = request.foreignBase ? contents.layers.slice(-1) : contents.layers;
  const bytes = [manifest, contents.config, ...layers].reduce((sum, { size }) => sum + size, 0);
  const checks = await runChecks(
    [
      { name: 'ready within 10 s', find: (within) => ready(trial, within) },
      { name: 'runs as an ordinary user', find: () => ordinaryUser(trial) },
      { name: 'writes nothing outside /tmp', find: () => readOnlyRoot(trial) },
      {
        name: 'holds no secret and no development dependency',
        find: (within) => findSecrets(trial, layers, within),
      },
      { name: 'size', find: async () => checkSize(bytes) },
      { name: 'versions crossed', find: (within) => findCrossed(trial, within) },
      ...((request.services[request.service]?.pulls.length ?? 0) > 0 ? workerChecks(trial) : proxyChecks(trial)),
    ],
    signal,
  );
  return reportOf([...before, ...checks]);
}

/** Before the first instance, as in a release; the app without a migration has none. */
function migrationChecks(ground: Ground, request: ImageTestRequest): readonly CheckPlan[] {
  const { migrate } = request;
  if (migrate === undefined) return [];
  const find = async (signal: AbortSignal) => {
    const lack = await lackOfMigration(ground, request, signal);
    return lack === undefined ? passed(migrate.command.join(' ')) : failed(lack);
  };
  // Twice, and live is started between.
  return [{ name: 'migrates', find, maxMs: 2 * migrationMaxMs + 60_000 }];
}

async function ready({ instance }: Trial, signal: AbortSignal): Promise<Finding> {
  const start = performance.now();
  await untilReady(instance, withDeadline(signal, readyMaxMs));
  return passed(`after ${Math.round(performance.now() - start)} ms`);
}

/** The sandbox takes every capability away, so a service that needs one has failed above. */
async function ordinaryUser({ image, instance }: Trial): Promise<Finding> {
  const { user } = image.config;
  const problems: string[] = [];
  // Kubernetes cannot prove of a name that it is not root's.
  if (!/^[1-9]\d*(:\d+)?$/.test(user))
    problems.push(`its user must be a number other than 0: current value is "${user}"`);
  const capabilities = await instance.capabilities();
  if (!/^0+$/.test(capabilities)) problems.push(`it holds capabilities ${capabilities}`);
  return expectNone(problems, `user ${user}, no capabilities`);
}

/** The service has started on a root that refuses to be written; this proves that the root really does. */
async function readOnlyRoot({ image, ground }: Trial): Promise<Finding> {
  const [program = ''] = image.config.entrypoint;
  const script =
    "try { require('fs').writeFileSync('/app/written', ''); } catch (error) { process.stdout.write(error.code); }";
  const writing = { ...image, config: { ...image.config, entrypoint: [program, '-e', script] } };
  await using writer = await startSandboxed(writing, { env: {}, logFile: join(ground.folder, 'writer.log') });
  await writer.ended;
  const said = writer.lastLines().join(' ');
  return said === 'EROFS'
    ? passed('the root is read-only, and the service runs')
    : failed(`a write to the root was not refused: ${said}`);
}

async function findSecrets(
  { request, image }: Trial,
  layers: readonly Descriptor[],
  signal: AbortSignal,
): Promise<Finding> {
  const inFiles = await findForbidden(request.layout, layers, signal);
  const inEnv = findBakedSecrets(image.config.env);
  return inEnv.length === 0 ? inFiles : failed(inEnv.join('; '));
}
