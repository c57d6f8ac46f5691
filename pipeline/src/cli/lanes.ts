import type { LaneTemplate } from '@headgate/rollout';
import { renderAll } from '../deploy/manifests.ts';
import { readBootstrapDue } from '../deploy/standing.ts';
import { templateIn } from '../deploy/template.ts';
import { requireFit } from '../image/fit.ts';
import { platform } from '../image/layout.ts';
import type { App } from './open.ts';
import { paint, type Shell } from './shell.ts';

/** What lanes run with, for whoever puts images into them; a due bootstrap is warned of. @throws {HeadgateError} `TOOL_MISSING`, `MANIFESTS_INVALID` */
export async function renderLanes({ spec, folder: root }: App, shell: Shell): Promise<LaneTemplate> {
  const manifests = await renderAll(spec, { root, env: shell.env }, shell.signal);
  const template = templateIn(spec, manifests);
  const due = await readBootstrapDue(spec, manifests, shell.signal);
  if (due !== undefined) warn(shell, due);
  return template;
}

/** @param images by service, each pinned. @throws {HeadgateError} `REFUSED` with every image that lanes cannot run */
export async function requireRunnable(
  images: Readonly<Record<string, string>>,
  { spec }: App,
  shell: Shell,
): Promise<void> {
  const machine = spec.kubernetes === undefined ? platform() : undefined;
  await requireFit(images, { machine, say: (line) => warn(shell, line) }, shell.signal);
}

function warn(shell: Shell, line: string): void {
  shell.err(`${paint(shell, 'yellow', line)}\n`);
}
