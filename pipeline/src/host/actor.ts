import { hostname, userInfo } from 'node:os';
import type { Environment } from '../run/environment.ts';
import type { HostKind } from './host.ts';

/** Who acts, by the name under which locks and journals keep it: `user@host`, `actions/<run>/<attempt>` or `jenkins/<job>/<n>`. */
export function actorOf(kind: HostKind, env: Environment): string {
  switch (kind) {
    case 'github':
      return `actions/${env['GITHUB_RUN_ID'] ?? '0'}/${env['GITHUB_RUN_ATTEMPT'] ?? '1'}`;
    case 'jenkins':
      return `jenkins/${env['JOB_NAME'] ?? 'job'}/${env['BUILD_NUMBER'] ?? '0'}`;
    case 'local':
      return `${userName()}@${hostname()}`;
  }
}

/** The person behind a run: who pressed the button, or is logged in. Empty where the host does not say. */
export function personOf(kind: HostKind, env: Environment): string {
  switch (kind) {
    case 'github':
      return env['GITHUB_TRIGGERING_ACTOR'] ?? env['GITHUB_ACTOR'] ?? ''; // A repeated run has a person of its own.
    case 'jenkins':
      return env['HEADGATE_APPROVER'] ?? ''; // Set by the Jenkinsfile, to who answered its question.
    case 'local':
      return userName();
  }
}

/** Containers of CI run as users that no file of theirs knows. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid${process.getuid?.() ?? ''}`;
  }
}
