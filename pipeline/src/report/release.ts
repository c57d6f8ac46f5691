import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  explain,
  failureOfEnd,
  type Head,
  plot,
  type Records,
  readHead,
  readStory,
  type Story,
  strip,
} from '@headgate/rollout';
import type { CiHost } from '../host/host.ts';
import type { Environment } from '../run/environment.ts';
import { hiderOf, lastWordsOf } from './last-words.ts';
import { withoutControls } from './lines.ts';
import { fenced } from './summary.ts';

export type EndedRelease = {
  readonly journal: Records['journal'];
  readonly release: number;
  /** Of headgate.yaml; `undefined`: that of the file itself. */
  readonly environment: string | undefined;
};

type Telling = {
  readonly host: Pick<CiHost, 'summarize' | 'url'>;
  readonly root: string;
  readonly app: string;
  readonly env: Environment;
};

/** What brought a release down, and how it was judged: a picture in `out/`, and the same as text where the host shows it. */
export async function tellRelease(
  { journal, release, environment }: EndedRelease,
  { host, root, app, env }: Telling,
  signal: AbortSignal,
): Promise<void> {
  const story = await readStory({ journal }, release, signal); // None where it never came so far, or was the first.
  const fall = fallLines(await readHead(journal, app, signal), release, { env, wasJudged: story !== undefined });
  const judged: string[] = [];
  if (story !== undefined) {
    const picture = `${['release', environment, release].filter((part) => part !== undefined).join('-')}.svg`;
    await mkdir(join(root, 'out'), { recursive: true });
    await writeFile(join(root, 'out', picture), plot(story, release));
    judged.push(...judgedLines(story, { picture, url: host.url }));
  }
  if (fall.length + judged.length === 0) return;
  const what = `Release ${release}${environment === undefined ? '' : ` in ${environment}`}`;
  await host.summarize(['', `## ${what}`, ...fall, ...judged, ''].join('\n'));
}

/** Where the judge turned it back, its own lines say why. */
function fallLines(
  head: Head,
  release: number,
  { env, wasJudged }: { readonly env: Environment; readonly wasJudged: boolean },
): readonly string[] {
  const end = head.history.find(({ id }) => id === release);
  if (end === undefined || failureOfEnd(end) === undefined) return [];
  const words = lastWordsOf(head, release, env);
  if (wasJudged && words.length === 0) return [];
  return fenced([...hiderOf(head, env)(end.text).split('\n').map(withoutControls), ...words]);
}

/**
 * Text and not the picture: GitHub takes `<svg>` and images made of data out of what it shows, and a file of a run has no
 * address before it is over, and then within an archive. A diagram in Mermaid has no legend, no bands and no log scale.
 */
function judgedLines(
  story: Story,
  { picture, url }: { readonly picture: string; readonly url: string | undefined },
): readonly string[] {
  const where = url === undefined ? '' : ` among the [artifacts of this run](${url}#artifacts)`;
  return [...fenced([...explain(story), '', ...strip(story)]), '', `As a picture: \`out/${picture}\`${where}.`];
}
