import { type ClusterStage, openClusterStage } from './cluster/stage.ts';
import { checkOutside } from './outside.ts';
import { releaseFirst } from './releasing.ts';
import type { Report } from './report.ts';

/**
 * The main job on a real cluster: controller, NATS, Postgres and services in pods, users through two replicas of a real gateway. A good
 * version is promoted, a bad one rolled back, one by hand; nothing is lost or done twice.
 */
export async function kubernetes(report: Report): Promise<void> {
  await using stage = await openClusterStage(
    '  latency: rollback\n  steps: [25%, 50%]\n  bake: 6s\n  watch: 5s\n  keepWarm: 10m\n',
    'controller',
  );
  using labels = stage.watch(['get', 'deployments', '--selector', 'headgate.dev/lane', '-o', role]);
  await releaseFirst(stage, report);
  const load = stage.load(100);
  const promoting = stage.start('release', ...(await stage.images('v2')), '--reason', 'acceptance: v2');
  const { fence } = await stage.until(({ release }) => release?.id === 2 && release.state.phase.kind === 'holding');
  for (const pid of await driverOf(stage)) process.kill(pid, 'SIGKILL');
  const killed = performance.now();
  await stage.until(({ fence: now }) => now > fence);
  report.say(`${Math.round(performance.now() - killed)} ms after the kill the other controller drove`);
  const second = await promoting.ended;
  report.check(
    'a good version is promoted, and its controller may be killed meanwhile',
    second.code === 0,
    second.code === 0 ? '' : `${second.out} ${second.err}`,
  );
  const third = await stage.release('answers 404');
  report.check('a bad version is rolled back', third.code === 11, third.code === 11 ? '' : `${third.out} ${third.err}`);
  const again = await stage.release('answers 404');
  report.check('and does not come back', again.code === 11 && /release 3/.test(again.err), again.err.trim());
  const releasing = stage.start('release', ...(await stage.images('v3')), '--reason', 'by hand');
  await stage.until(({ release }) => release?.reason === 'by hand' && release.state.phase.kind === 'holding');
  const asked = performance.now();
  const back = await stage.run('rollback', '--reason', 'by hand');
  report.check(
    'a person rolls back',
    back.code === 0,
    `${Math.round(performance.now() - asked)} ms ${back.err.trim()}`,
  );
  report.check('who released hears of it', (await releasing.ended).code === 11);
  await checkOutside({ ...stage, load }, report);
  const events = await stage.kubectl(['get', 'events', '--field-selector', 'involvedObject.name=headgate-ratings']);
  report.check('kubectl shows what was decided', /RolledBack/.test(events) && /Promoted/.test(events));
  for (const [lane, wanted] of Object.entries(roles)) {
    for (const service of ['proxy', 'rating']) {
      const seen = rolesOf(`ratings-${lane}-${service}`, labels.text());
      report.check(`kubectl shows the roles of ${lane}'s ${service} in their order`, seen === wanted, seen);
    }
  }
}

const role = 'jsonpath={.metadata.name} {.metadata.labels.headgate\\.dev/role}{"\\n"}';

/** Each promoted lane leaves a warm one; while one goes back, live adopts what lies in its queue. */
const roles = {
  blue: 'candidate live warm candidate idle candidate idle',
  green: 'candidate live adopting live adopting live',
};

/** One after the other, as a Deployment was labelled with them. */
function rolesOf(deployment: string, text: string): string {
  const all = text.split('\n').flatMap((line) => {
    const [name, label = ''] = line.split(' ');
    return name === deployment && label !== '' ? [label] : [];
  });
  return all.filter((one, i) => one !== all[i - 1]).join(' ');
}

/** Processes of the pod that drives. */
export async function driverOf({ kubectl, processesOf }: ClusterStage): Promise<readonly number[]> {
  const holder = await kubectl(['get', 'lease', 'headgate-ratings', '-o', 'jsonpath={.spec.holderIdentity}']);
  return processesOf('--field-selector', `metadata.name=${holder.replace('controller/', '')}`);
}
