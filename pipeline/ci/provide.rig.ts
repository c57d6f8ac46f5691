import type { HeadgateError } from '@headgate/rollout';
import { aptInstall, onPath } from '@headgate/rollout/servers';

type Asker = { readonly uid: number | undefined; readonly env: NodeJS.ProcessEnv };

/**
 * Programs that one test needs, by their Debian packages. Installed as the servers of the local platform are: by root, or by a sudo
 * that asks for no password.
 * @returns why they are not there, for `unless`
 * @throws {HeadgateError} `SERVER_MISSING` on a CI host, which says CI=true: nobody looks there at what was skipped
 */
export async function whyWithout(
  packages: Readonly<Record<string, string>>,
  asker: Asker = { uid: process.getuid?.(), env: process.env },
): Promise<string | undefined> {
  const missing = Object.entries(packages).filter(([program]) => onPath(program, asker.env) === undefined);
  if (missing.length === 0) return undefined;
  return aptInstall(
    missing.map(([, name]) => name),
    asker,
  ).then(
    () => undefined,
    (error: HeadgateError) => {
      if (asker.env['CI'] === 'true') throw error;
      return `${error.message}: ${error.hint}`;
    },
  );
}

type Block<Body> = (name: string, body: Body, maxMs?: number) => void;

/** `describe` or `test`; where there is a reason, skipped by its name and that. */
export function unless<Body>(
  reason: string | undefined,
  block: Block<Body> & { readonly skip: Block<Body> },
): Block<Body> {
  if (reason === undefined) return block;
  return (name, ...rest) => block.skip(`${name} (skipped: ${reason})`, ...rest);
}
