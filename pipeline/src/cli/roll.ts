import { join, resolve } from 'node:path';
import {
  type ApplyRoll,
  describeRoll,
  HeadgateError,
  type KubeClient,
  openKubeClient,
  previewRoll,
  roll,
} from '@headgate/rollout';
import { play } from '../deploy/playbook.ts';
import { completeRevision } from '../deploy/revise.ts';
import { renderTemplate } from '../deploy/template.ts';
import { type App, appOptions, openApp, openPorts } from './open.ts';
import { finish, handsFor, presenter } from './present.ts';
import { parsePair } from './release.ts';
import { type Call, flag, type Shell, type Subcommand, text } from './shell.ts';

export const command: Subcommand = {
  usage: '[<service>=<host/name@sha256:…> …] --reason <text> [--check]',
  help: 'On Kubernetes: puts images and manifests into the live lane itself, instance by instance, by ansible/deploy.yml and under the lock of a release. What does not come up is rolled back. Services that are not named keep what live has. Exits 0 done or nothing to do, 11 rolled back, 12 refused, 14 rollback failed.',
  options: {
    ...appOptions,
    reason: { type: 'string', help: 'why; needed, as no commit says how bare digests relate to what is live' },
    insist: { type: 'boolean', help: 'a revision that was rolled back before' },
    check: { type: 'boolean', help: 'say what would be changed, as Ansible does with --check --diff' },
  },
  positionals: { min: 0, max: 50 },
  async run(call, shell) {
    const app = await openApp(call, shell);
    const { kubernetes } = app.spec;
    if (kubernetes === undefined) {
      throw new HeadgateError('USAGE', `Cannot roll ${app.spec.app} as its headgate.yaml names no cluster`, {
        hint: 'run `headgate release`',
      });
    }
    const images = Object.fromEntries(call.positionals.map(parsePair));
    const template = await renderTemplate(app.spec, { root: app.folder, env: shell.env }, shell.signal);
    await using ports = await openPorts(app, shell);
    using client = openKubeClient({ namespace: kubernetes.namespace });
    const hands = handsFor(app, ports, shell, presenter(shell, flag(call, 'json')));
    const verifyKey = shell.env['HEADGATE_VERIFY_KEY'];
    const request = {
      revision: await completeRevision(hands, images, { template, commit: undefined, verifyKey }),
      actor: hands.actor,
      reason: text(call, 'reason') ?? '',
      ancestry: 'unknown',
      insist: flag(call, 'insist'),
    } as const;
    const apply = byAnsible(call, app, client, shell);
    return finish(await (flag(call, 'check') ? previewRoll : roll)(hands, request, apply), shell, false);
  },
};

function byAnsible(call: Call, { spec, folder }: App, client: KubeClient, shell: Shell): ApplyRoll {
  const { app, queue } = spec;
  return async ({ lane, revision, fence }, signal) => {
    const services = await describeRoll(client, { app, lane, revision, fence, natsUrl: queue?.url }, signal);
    const { namespace } = client;
    const variables = {
      headgate_command: [process.execPath, ...process.execArgv, process.argv[1]],
      headgate_options: optionsOf(call, shell),
      service_deploy_plan: { app, namespace, lane, holder: shell.user, services },
      service_deploy_report: join(folder, 'out', 'roll'),
    };
    const { env, out } = shell;
    return play({ playbook: 'deploy.yml', variables, check: flag(call, 'check'), root: folder, env, out }, signal);
  };
}

/** The same app for commands that the playbook runs in another folder. */
function optionsOf(call: Call, { cwd }: Shell): readonly string[] {
  const environment = text(call, 'environment');
  const file = resolve(cwd, text(call, 'file') ?? 'headgate.yaml');
  return ['--file', file, ...(environment === undefined ? [] : ['--environment', environment])];
}
