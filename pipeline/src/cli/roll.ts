import { previewRoll, roll } from '@headgate/rollout';
import { byAnsible } from '../deploy/playbook.ts';
import { completeRevision } from '../deploy/revise.ts';
import { renderLanes, requireRunnable } from './lanes.ts';
import { appOptions, openApp, openHostOf, openPorts } from './open.ts';
import { conclude, finish, handsFor, presenter } from './present.ts';
import { parsePair } from './release.ts';
import { flag, type Subcommand, text } from './shell.ts';

export const command: Subcommand = {
  usage: '[<service>=<host/name@sha256:…> …] --reason <text> [--check]',
  help: 'On Kubernetes: puts images and manifests into the live lane itself, instance by instance, by ansible/deploy.yml and under the lock of a release. What does not come up is rolled back. Services that are not named keep what live has. Exits 0 done or nothing to do, 11 for a revision that was rolled back before, 12 refused, 13 it or its migration failed and live serves what it had, 14 it failed and so did the way back.',
  options: {
    ...appOptions,
    reason: { type: 'string', help: 'why; needed, as no commit says how bare digests relate to what is live' },
    insist: { type: 'boolean', help: 'a revision that was rolled back before' },
    check: { type: 'boolean', help: 'say what would be changed, as Ansible does with --check --diff' },
  },
  positionals: { min: 0, max: 50 },
  async run(call, shell) {
    const app = await openApp(call, shell);
    const { spec, folder: root, options } = app;
    const { env, user: actor } = shell;
    const check = flag(call, 'check');
    const say = (line: string) => shell.out(`${line}\n`);
    const apply = await byAnsible({ spec, root, options, actor, check, env, say }, shell.signal);
    const images = Object.fromEntries(call.positionals.map(parsePair));
    const template = await renderLanes(app, shell);
    await requireRunnable(images, app, shell);
    await (await openHostOf(app, shell)).begin();
    await using ports = await openPorts(app, shell);
    await using hands = handsFor(app, ports, shell, presenter(shell, flag(call, 'json')));
    const verifyKey = env['HEADGATE_VERIFY_KEY'];
    const request = {
      revision: await completeRevision(hands, images, { template, commit: undefined, verifyKey }),
      actor,
      reason: text(call, 'reason') ?? '',
      ancestry: 'unknown',
      insist: flag(call, 'insist'),
    } as const;
    if (check) return finish(await previewRoll(hands, request, apply), shell, false);
    const handled = await roll(hands, request, apply);
    return conclude(handled, { app, journal: ports.journal, shell, rolled: true }, false);
  },
};
