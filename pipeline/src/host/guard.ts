import { randomUUID } from 'node:crypto';
import type { Write } from '../report/report.ts';

/**
 * What a process writes, on a host that may obey it. GitHub's runner takes each line of a step that begins with `::`, or
 * has `##[` in it, for a command: a pod's log could mark files, set variables or hide text. So it is told to stop
 * listening at the first word, and listens only while Headgate itself speaks. Both streams of the process must end here:
 * the runner reads them apart, and only within one is there an order.
 */
export interface Guard {
  readonly write: Write;
  /** What `work` writes to the process's standard output is obeyed. It must not write what somebody else has said. */
  obeyed(work: () => void): void;
  /** The host listens again. */
  close(): void;
}

/** https://docs.github.com/actions/reference/workflow-commands-for-github-actions#stopping-and-starting-workflow-commands */
export function openGithubGuard(write: Write): Guard {
  // Nobody who can write a line may know how to make the host listen, so no token is used twice.
  let token = randomUUID();
  let atLineStart = true;
  const command = (text: string) => {
    write(`${atLineStart ? '' : '\n'}${text}\n`);
    atLineStart = true;
  };
  const stop = () => {
    token = randomUUID();
    command(`::stop-commands::${token}`);
  };
  stop();
  return {
    write: (text) => {
      if (text === '') return;
      write(text);
      atLineStart = text.endsWith('\n');
    },
    obeyed: (work) => {
      command(`::${token}::`);
      try {
        work();
      } finally {
        stop();
      }
    },
    close: () => command(`::${token}::`),
  };
}

/** For hosts that obey nothing. */
export function openPlainGuard(write: Write): Guard {
  return { write, obeyed: (work) => work(), close: () => {} };
}

/** For what a program reads: no line is added, so nothing is said to the host. */
function openProgramGuard(write: Write): Guard {
  return { write, obeyed: () => {}, close: () => {} };
}

/** GitHub's runner may read it as well. No text of JSON begins with `::`, and within its strings `##[` can be written otherwise. */
function harmlessJson(text: string): string {
  return text.replaceAll('##[', '#\\u0023[');
}

export type Streams = {
  readonly guard: Guard;
  /** Standard error. */
  readonly err: Write;
  /** The host listens again. */
  close(): void;
};

/** `program`: what is on standard output is for a program, as JSON or as lines of its own. */
export function openStreams(
  { isGithub, program }: { readonly isGithub: boolean; readonly program: 'json' | 'lines' | undefined },
  out: Write,
  err: Write,
): Streams {
  if (!isGithub) return { guard: openPlainGuard(out), err, close: () => {} };
  if (program === undefined) {
    const guard = openGithubGuard(out);
    // The runner reads both streams apart, and would obey one while the other is guarded.
    return { guard, err: guard.write, close: () => guard.close() };
  }
  const beside = openGithubGuard(err);
  const guard = openProgramGuard(program === 'json' ? (text) => out(harmlessJson(text)) : out);
  return { guard, err: beside.write, close: () => beside.close() };
}
