import type { HeadgateError } from '@headgate/rollout';
import { aptInstall, onPath } from '@headgate/rollout/servers';

/**
 * Programs that one test needs, by their Debian packages. Installed as the servers of the local platform are: by root; anybody else is
 * told the one line and what is left out without them.
 */
export async function provide(packages: Readonly<Record<string, string>>, leftOut: string): Promise<boolean> {
  const missing = Object.entries(packages).filter(([program]) => onPath(program, process.env) === undefined);
  if (missing.length === 0) return true;
  return aptInstall(missing.map(([, name]) => name)).then(
    () => true,
    ({ message, hint }: HeadgateError) => {
      process.stderr.write(`${leftOut}: ${message}\n  ${hint}\n`);
      return false;
    },
  );
}
