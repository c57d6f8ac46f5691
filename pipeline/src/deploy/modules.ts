import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { sha256 } from '../run/workspace.ts';

/** The modules of a folder, without its tests, each as `import.meta.url` says it. */
export function modulesIn(folder: URL): readonly string[] {
  const names = readdirSync(folder).filter((name) => /^[a-z-]+\.[jt]s$/.test(name));
  return names.sort().map((name) => new URL(name, folder).href);
}

/** Other code, other hash. */
export async function hashOf(modules: readonly string[]): Promise<string> {
  const texts = await Promise.all(modules.map((url) => readFile(new URL(url), 'utf8')));
  return sha256(texts.join('\0'));
}
