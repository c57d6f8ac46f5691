import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const kim = ['-c', 'user.name=kim', '-c', 'user.email=kim@desk.example', '-c', 'commit.gpgsign=false'];

/** Git in a folder as Kim uses it, whatever this machine's own settings are. @returns what it prints, trimmed */
export async function git(folder: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('git', ['-C', folder, ...kim, ...args]);
  return stdout.trim();
}
