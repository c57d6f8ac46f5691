import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type Ancestry, HeadgateError, withDeadline } from '@headgate/rollout';
import type { Change } from './host.ts';

const gitMaxMs = 10_000;
const gitMaxBytes = 16 * 1_048_576;
/** The files of one commit, against its first parent: of a merge, what it brought. */
const touched = [
  'log',
  '-1',
  '--first-parent',
  '-m',
  '--root',
  '--no-renames',
  '--format=',
  '--name-only',
  '--no-show-signature',
] as const;

/** What the repository of `root` says of its state, which is what will be built, whatever a host's variables say. */
export async function readGit(root: string, signal: AbortSignal): Promise<Omit<Change, 'actor'>> {
  const head = await git(root, ['rev-parse', '--verify', '--quiet', 'HEAD'], signal);
  if (head === undefined) return { commit: undefined, branch: undefined, dirty: true, files: [] };
  const [branch, committed, status, below] = await Promise.all([
    git(root, ['symbolic-ref', '--short', '--quiet', 'HEAD'], signal),
    git(root, [...touched, '--relative', '-z'], signal),
    git(root, ['status', '--porcelain', '--no-renames', '-z', '--untracked-files=all', '--', '.'], signal),
    git(root, ['rev-parse', '--show-prefix'], signal),
  ]);
  // Unlike the rest of git, `status` names paths from the top of the repository, of which the root may be a part.
  const prefix = below?.trimEnd() ?? '';
  const uncommitted = lines(status).map((line) => line.slice('XY '.length + prefix.length));
  return {
    commit: head.trim(),
    branch: branch?.trim(),
    dirty: uncommitted.length > 0,
    files: [...new Set([...lines(committed), ...uncommitted])].sort(),
  };
}

/** The address that this clone was made from; `undefined` if it has none. */
export async function originOf(root: string, signal: AbortSignal): Promise<string | undefined> {
  return (await git(root, ['config', '--get', 'remote.origin.url'], signal))?.trim();
}

/** Folders of what is made, also where no .gitignore says so. */
const madeFolders = ['node_modules', '.headgate', 'dist', 'out'];

/**
 * All that git keeps or would keep: tracked files, those of submodules, and new ones that it does not ignore; also outside of `root`
 * where that is a part of the repository. `undefined` without one.
 */
export async function repositoryFiles(root: string, signal: AbortSignal): Promise<readonly string[] | undefined> {
  const made = madeFolders.map((name) => `--exclude=${name}/`);
  const [tracked, fresh] = await Promise.all([
    git(root, ['ls-files', '-z', '--cached', '--recurse-submodules', ':/'], signal),
    git(root, ['ls-files', '-z', '--others', '--exclude-standard', ...made, ':/'], signal),
  ]);
  return tracked === undefined ? undefined : [...lines(tracked), ...lines(fresh)];
}

/**
 * Releases are ordered by ancestry, so whoever releases needs all commits, though not their files.
 * @throws {HeadgateError} `USAGE` for a shallow clone
 */
export async function requireHistory(root: string, signal: AbortSignal): Promise<void> {
  const answer = await git(root, ['rev-parse', '--is-shallow-repository'], signal);
  if (answer?.trim() !== 'true') return;
  throw new HeadgateError(
    'USAGE',
    `Cannot release as the order of commits must be known: current value of "${root}" is a shallow clone`,
    { hint: 'run `git fetch --unshallow --filter=tree:0`; with actions/checkout: fetch-depth: 0 and filter: tree:0' },
  );
}

const aheadMax = 100;

/**
 * How the commit stands to the live one: order is ancestry, never time. With the whole history at hand (see `requireHistory`) a live
 * commit that this clone has not is none that it descends from.
 */
export async function readAncestry(
  root: string,
  { commit, live }: { readonly commit: string | undefined; readonly live: string | undefined },
  signal: AbortSignal,
): Promise<Ancestry> {
  if (commit === undefined) return 'unknown';
  const descends =
    live === undefined || (await git(root, ['merge-base', '--is-ancestor', live, commit], signal)) !== undefined;
  if (!descends) return { live, stands: 'older', ahead: [] };
  const beside = live === undefined ? [] : [`^${live}`];
  const ahead = await git(root, ['rev-list', `--max-count=${aheadMax}`, commit, ...beside], signal);
  return { live, stands: 'descends', ahead: (ahead ?? '').split('\n').filter((id) => id !== '') };
}

function lines(text: string | undefined): readonly string[] {
  return (text ?? '').split('\0').filter((line) => line !== '');
}

/** When each of these commits was made, in milliseconds since the epoch. One that the repository does not have is left out. */
export async function readCommitTimes(
  root: string,
  commits: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number>();
  for (const commit of new Set(commits)) {
    const seconds = await git(
      root,
      ['show', '--no-patch', '--no-show-signature', '--format=%ct', `${commit}^{commit}`],
      signal,
    );
    if (seconds !== undefined) times.set(commit, Number(seconds.trim()) * 1_000);
  }
  return times;
}

/**
 * `undefined` where git says no: no repository, no commit yet, no branch, no such object.
 * @throws {HeadgateError} `USAGE` where there is a repository and git is not installed or refuses to read it: its commits are not unknown, only unread
 */
async function git(root: string, args: readonly string[], signal: AbortSignal): Promise<string | undefined> {
  const answer = await ask(root, args, signal);
  switch (answer.kind) {
    case 'text':
      return answer.text;
    case 'no':
      return undefined;
    case 'refused':
      return requireReadable(root, signal);
    case 'missing':
      return requireNoRepository(root);
  }
}

/** Whether it was the object asked about that is not there, or all of it that cannot be read. */
async function requireReadable(root: string, signal: AbortSignal): Promise<undefined> {
  const whole = await ask(root, ['rev-parse', '--git-dir'], signal);
  if (whole.kind === 'refused' && !whole.words.includes(noRepository)) throw refusedBy(root, whole.words);
}

/** Without git there are no commits to read. */
async function requireNoRepository(root: string): Promise<undefined> {
  const folder = await repositoryAbove(root);
  if (folder === undefined) return;
  throw new HeadgateError('USAGE', `Cannot read the change as git must be on the PATH: "${folder}" is a repository`, {
    hint: 'install git, in the image of the job where it runs in one',
  });
}

/** Unlike `not a git repository: <path>`, which a `.git` says that leads nowhere. */
const noRepository = 'not a git repository (or any';

function refusedBy(root: string, words: string): HeadgateError {
  const said = words.split('\n').map((line) => line.trim());
  const fatal = said.find((line) => line.startsWith('fatal: ')) ?? words.trim();
  const cure = said.find((line) => line.startsWith('git config ')) ?? `git -C ${root} status`;
  return new HeadgateError('USAGE', `Cannot read the change in "${root}" as git refuses: ${fatal}`, {
    hint: `run \`${cure}\``,
  });
}

async function repositoryAbove(folder: string): Promise<string | undefined> {
  const here = resolve(folder);
  const isHere = await access(join(here, '.git')).then(
    () => true,
    () => false,
  );
  if (isHere) return here;
  return dirname(here) === here ? undefined : repositoryAbove(dirname(here));
}

type Answer =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'no' }
  | { readonly kind: 'refused'; readonly words: string }
  /** Git itself. */
  | { readonly kind: 'missing' };

async function ask(root: string, args: readonly string[], signal: AbortSignal): Promise<Answer> {
  try {
    const { stdout } = await promisify(execFile)('git', ['-C', root, ...args], {
      signal: withDeadline(signal, gitMaxMs),
      maxBuffer: gitMaxBytes,
      // Only looking: no lock that a person's own git would meet, no fetch for a clone without trees, no question. Its words are read.
      env: { ...process.env, GIT_OPTIONAL_LOCKS: '0', GIT_NO_LAZY_FETCH: '1', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' },
    });
    return { kind: 'text', text: stdout };
  } catch (cause) {
    // By shape alone: Node's own errors may be of another realm.
    const { code, stderr } = cause as { readonly code?: unknown; readonly stderr?: unknown };
    if (code === 1) return { kind: 'no' };
    if (code === 128) return { kind: 'refused', words: String(stderr) };
    if (code === 'ENOENT') return { kind: 'missing' };
    throw new HeadgateError('STEP_FAILED', `Cannot read the change as git must answer: current value is "${args[0]}"`, {
      hint: `run git ${args.join(' ')} in ${root}`,
      cause,
    });
  }
}
