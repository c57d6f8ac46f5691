import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * What node is to be called with to run a module of ours in a process of its own. Tests run from the sources, and such a process cannot take
 * their compiler along.
 * @param name of the module, without its ending
 * @param beside `import.meta.url` of one in the same folder
 */
export function argumentsFor(name: string, beside: string): readonly string[] {
  const fromSources = beside.endsWith('.ts');
  const file = fileURLToPath(new URL(`./${name}${fromSources ? '.ts' : '.js'}`, beside));
  if (!fromSources) return [file];
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  return ['--import', loader, '--conditions=source', file];
}
