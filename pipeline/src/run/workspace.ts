import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { HeadgateError } from '@headgate/rollout';
import { matcher, startFolders } from '../plan/glob.ts';

/** Content and executable bit of a file. */
export type Fingerprint = { readonly sha256: string; readonly executable: boolean };

type Remembered = { readonly stamp: string; readonly sha256: string };

/** Never input, never output: other people's code, and our own notes. */
const hidden = new Set(['node_modules', '.git', '.headgate']);
/** A file this young may change again without a new time stamp. */
const racyMs = 100;

/** The files below one folder, known by content. A file whose size and times are as before is not read again. */
export class Workspace {
  /** Absolute. */
  readonly root: string;
  readonly #remembered: Map<string, Remembered>;
  #learned = false;

  private constructor(root: string, remembered: Map<string, Remembered>) {
    this.root = root;
    this.#remembered = remembered;
  }

  /** `memory` is the file that `save` writes. One that is missing or damaged only costs time. */
  static async open(root: string, memory: string): Promise<Workspace> {
    return new Workspace(root, await readMemory(memory));
  }

  /** Absolute path of one relative to the root; an absolute one stays as it is. */
  path(relative: string): string {
    return resolve(this.root, relative);
  }

  /**
   * Files that match, sorted.
   * @throws {HeadgateError} `USAGE` for a glob without a match: a misspelt one would make a step depend on nothing, in silence
   */
  async find(globs: readonly string[]): Promise<readonly string[]> {
    const found = (await Promise.all(startFolders(globs).map((folder) => this.#walk(folder)))).flat();
    const lonely = globs.find((glob) => !glob.startsWith('!') && !found.some(matcher([glob])));
    if (lonely !== undefined) {
      throw new HeadgateError('USAGE', `Cannot find files as every glob must match one: current value is "${lonely}"`, {
        hint: `correct the glob, or make the file; globs are relative to ${this.root}`,
      });
    }
    return found.filter(matcher(globs)).sort();
  }

  /** `undefined` if there is no such file. */
  async fingerprint(relative: string): Promise<Fingerprint | undefined> {
    const path = this.path(relative);
    const seen = await stat(path).catch(() => undefined);
    if (seen === undefined || !seen.isFile()) return undefined;
    const stamp = `${seen.size} ${seen.mtimeMs} ${seen.ctimeMs} ${seen.ino}`;
    const executable = (seen.mode & 0o100) !== 0;
    const before = this.#remembered.get(relative);
    if (before?.stamp === stamp) return { sha256: before.sha256, executable };
    const sha256 = await hashFile(path);
    if (Date.now() - Math.max(seen.mtimeMs, seen.ctimeMs) > racyMs) this.#remember(relative, { stamp, sha256 });
    return { sha256, executable };
  }

  /** What `ask` once answered about this very file. `path` is absolute. */
  async about(path: string, ask: () => Promise<string>): Promise<string> {
    const seen = await stat(path);
    const stamp = `${seen.size} ${seen.mtimeMs} ${seen.ctimeMs} ${seen.ino}`;
    const name = `about:${path}`;
    const before = this.#remembered.get(name);
    if (before?.stamp === stamp) return before.sha256;
    const answer = await ask();
    this.#remember(name, { stamp, sha256: answer });
    return answer;
  }

  /** Keeps what was learned for the next process. */
  async save(memory: string): Promise<void> {
    if (!this.#learned) return;
    await mkdir(dirname(memory), { recursive: true });
    const temporary = `${memory}.${process.pid}`;
    await writeFile(temporary, JSON.stringify(Object.fromEntries(this.#remembered)));
    await rename(temporary, memory);
  }

  #remember(name: string, remembered: Remembered): void {
    this.#remembered.set(name, remembered);
    this.#learned = true;
  }

  async #walk(folder: string): Promise<readonly string[]> {
    const entries = await readdir(this.path(folder), { withFileTypes: true }).catch(() => []);
    const found = await Promise.all(
      entries.map(async (entry) => {
        const relative = folder === '' ? entry.name : `${folder}/${entry.name}`;
        if (hidden.has(entry.name)) return [];
        if (entry.isDirectory()) return this.#walk(relative);
        return entry.isFile() || (entry.isSymbolicLink() && (await isLinkToFile(this.path(relative))))
          ? [relative]
          : [];
      }),
    );
    return found.flat();
  }
}

/** A link to a folder is not followed: it may lead in a circle. */
async function isLinkToFile(path: string): Promise<boolean> {
  const [link, target] = await Promise.all([lstat(path), stat(path).catch(() => undefined)]);
  return link.isSymbolicLink() && target?.isFile() === true;
}

/** In hex. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** sha256 of its content, in hex. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

async function readMemory(file: string): Promise<Map<string, Remembered>> {
  try {
    const read: unknown = JSON.parse(await readFile(file, 'utf8'));
    return new Map(Object.entries(read ?? {}).filter((entry): entry is [string, Remembered] => isRemembered(entry[1])));
  } catch {
    return new Map(); // Only a memory of what can be read again.
  }
}

function isRemembered(value: unknown): value is Remembered {
  return (
    typeof value === 'object' &&
    value !== null &&
    'stamp' in value &&
    typeof value.stamp === 'string' &&
    'sha256' in value &&
    typeof value.sha256 === 'string'
  );
}
