import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** As the reports of runs and of Ansible's deploy.yml are called. Reports of others beside them are none of ours. */
const ownJunit = /^(pipeline(-.+)?|deploy-[\d.]+)\.xml$/;

/**
 * Takes out of `out/` what another build has left: values, a summary and JUnit that would be taken for those of this one.
 * Commands that name the same `build` add to its files; `undefined`: each command is a build of its own.
 */
export async function beginBuild(root: string, build: string | undefined): Promise<void> {
  const out = join(root, 'out');
  const name = join(out, 'build.txt');
  const before = await readFile(name, 'utf8').catch(() => undefined); // Absent: of nobody that is known.
  if (build !== undefined && before === build) return;
  const junit = await readdir(join(out, 'junit')).catch(() => []);
  const own = junit.filter((file) => ownJunit.test(file)).map((file) => join('junit', file));
  for (const file of ['outputs.json', 'summary.md', ...own]) await rm(join(out, file), { force: true });
  if (build === undefined) return;
  await mkdir(out, { recursive: true });
  await writeFile(name, build);
}
