import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { explain, plot, type Records, readStory, type Story, strip } from '@headgate/rollout';
import type { CiHost } from '../host/host.ts';
import { fenced } from './summary.ts';

export type EndedRelease = {
  readonly journal: Records['journal'];
  readonly release: number;
  /** Of headgate.yaml; `undefined`: that of the file itself. */
  readonly environment: string | undefined;
};

/** How a release was judged: a picture in `out/`, and the same as text where the host shows it. */
export async function tellRelease(
  { journal, release, environment }: EndedRelease,
  { host, root }: { readonly host: Pick<CiHost, 'summarize' | 'url'>; readonly root: string },
  signal: AbortSignal,
): Promise<void> {
  const story = await readStory({ journal }, release, signal);
  if (story === undefined) return; // Nothing was judged: it was the first, or it never came so far.
  const picture = `${['release', environment, release].filter((part) => part !== undefined).join('-')}.svg`;
  await mkdir(join(root, 'out'), { recursive: true });
  await writeFile(join(root, 'out', picture), plot(story, release));
  const what = `Release ${release}${environment === undefined ? '' : ` in ${environment}`}`;
  await host.summarize(releaseSummary(what, story, { picture, url: host.url }));
}

/**
 * Text and not the picture: GitHub takes `<svg>` and images made of data out of what it shows, and a file of a run has no
 * address before it is over, and then within an archive. A diagram in Mermaid has no legend, no bands and no log scale.
 */
function releaseSummary(
  what: string,
  story: Story,
  { picture, url }: { picture: string; url: string | undefined },
): string {
  const where = url === undefined ? '' : ` among the [artifacts of this run](${url}#artifacts)`;
  return [
    '',
    `## ${what}`,
    ...fenced([...explain(story), '', ...strip(story)]),
    '',
    `As a picture: \`out/${picture}\`${where}.`,
    '',
  ].join('\n');
}
