/** Where a run takes place. After this nobody asks which CI it is; a laptop is a host too. */
import { HeadgateError } from '@headgate/rollout/errors';
import type { Annotation } from '../event.ts';
import type { Reporter, Write } from '../report/report.ts';
import type { Environment } from '../run/environment.ts';
import { redactor } from '../run/redact.ts';
import { secretsOf } from '../run/secrets.ts';
import type { Guard } from './guard.ts';

/** What a merge brought. */
export type Change = {
  /** Full commit id; `undefined` outside of a git repository. */
  readonly commit: string | undefined;
  readonly branch: string | undefined;
  /** True if the files differ from the commit. */
  readonly dirty: boolean;
  /** Touched by the commit against its first parent, or not committed; relative to the root, sorted. */
  readonly files: readonly string[];
  /** Who is to be asked: `user@host`, `actions/<run>/<attempt>`, `jenkins/<job>/<n>`. */
  readonly actor: string;
};

/** How something ended, for the page of a commit. */
export type CommitStatus = {
  readonly commit: string;
  /** Groups statuses: a later one of the same context takes the place of an earlier one. */
  readonly context: string;
  readonly state: 'success' | 'failure' | 'error' | 'pending';
  /** One sentence; cut to what the host takes. */
  readonly text: string;
};

export interface CiHost {
  readonly kind: HostKind;
  /** Page of this job, or `undefined`. */
  readonly url: string | undefined;
  /** @throws {HeadgateError} `STEP_FAILED` if git refuses to answer */
  change(signal: AbortSignal): Promise<Change>;
  /** A run as the people of this host look at it. Reports in `out/` come apart from it and are the same everywhere. */
  reporter(): Reporter;
  /** Before a command that delivers: what another build has left in `out/` is no part of this one. */
  begin(): Promise<void>;
  /** A remark beside the job; nothing where this host has no place for one, as its console has said it. The message holds no secret. */
  annotate(title: string, remark: Annotation): void;
  /** Values for whatever comes after this command, by names of lower-case letters, digits and dashes. */
  output(values: Readonly<Record<string, string>>): Promise<void>;
  /** Adds Markdown, without secrets, to what this host shows of the job. What would make it more than 900 kB is cut, and the cut is said. */
  summarize(markdown: string): Promise<void>;
  /** `unsupported`: this host has no such place. @throws {HeadgateError} `STEP_FAILED` */
  mark(status: CommitStatus, signal: AbortSignal): Promise<'marked' | 'unsupported'>;
}

export type HostOptions = {
  /** Absolute folder of the workspace. Files go to `out/` in it. */
  readonly root: string;
  readonly env: Environment;
  readonly write: Write;
  readonly guard: Guard;
  /** Output goes to a person's terminal. */
  readonly isTerminal: boolean;
};

type HostModule = { readonly openHost: (options: HostOptions) => CiHost };

/** Lazy: the toolkit of one CI is of no use to another. */
const modules = {
  local: () => import('./local.ts'),
  github: () => import('./github.ts'),
  jenkins: () => import('./jenkins.ts'),
} satisfies Record<string, () => Promise<HostModule>>;

export type HostKind = keyof typeof modules;

/** `HEADGATE_HOST` names it; else the variables that GitHub's runner and Jenkins set give it away. @throws {HeadgateError} `UNKNOWN_KIND` */
export function hostKindOf(env: Environment): HostKind {
  const named = env['HEADGATE_HOST'] || undefined;
  if (named === undefined) {
    if (env['GITHUB_ACTIONS'] === 'true') return 'github';
    return env['JENKINS_URL'] ? 'jenkins' : 'local';
  }
  if (isHostKind(named)) return named;
  throw new HeadgateError('UNKNOWN_KIND', `Cannot run on this host as it must be known: current value is "${named}"`, {
    hint: `set HEADGATE_HOST to one of ${Object.keys(modules).join(', ')}, or unset it`,
  });
}

/** Whether a pull request is built, wherever: its code may be anybody's, and leaves nothing that other runs go by. */
export function isPullRequest(env: Environment): boolean {
  const { GITHUB_EVENT_NAME: event = '', GITHUB_REF: ref = '', CHANGE_ID: change = '' } = env;
  // Reviews and comments run a pull request's code, too. Jenkins gives the number of one to builds of multibranch jobs.
  return event.startsWith('pull_request') || ref.startsWith('refs/pull/') || change !== '';
}

export async function openHost(options: HostOptions): Promise<CiHost> {
  const host = (await modules[hostKindOf(options.env)]()).openHost(options);
  const redact = redactor(secretsOf(options.env));
  // A journal keeps words of people and of clusters, which know nothing of our secrets.
  return { ...host, summarize: (markdown) => host.summarize(redact(markdown)) };
}

function isHostKind(kind: string): kind is HostKind {
  return Object.hasOwn(modules, kind);
}
