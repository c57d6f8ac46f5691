import { appendFile, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** GitHub loses a summary of more than 1 MiB whole; others get the same, so that a run reads alike everywhere. */
export const summaryMaxBytes = 900_000;

/** `out/outputs.json` and `out/summary.md`, for hosts without places of their own. `before` each is written to. */
export function openOutFiles(root: string, before: () => Promise<void> = async () => {}) {
  const outputs = join(root, 'out', 'outputs.json');
  const summary = join(root, 'out', 'summary.md');
  return {
    async output(values: Readonly<Record<string, string>>): Promise<void> {
      await before();
      const earlier: unknown = JSON.parse(await readFile(outputs, 'utf8').catch(() => '{}')); // Absent: none yet.
      await mkdir(dirname(outputs), { recursive: true });
      const part = `${outputs}.${process.pid}.part`;
      await writeFile(part, `${JSON.stringify({ ...(earlier as object), ...values }, undefined, 2)}\n`);
      await rename(part, outputs);
    },
    async summarize(markdown: string): Promise<void> {
      await before();
      await mkdir(dirname(summary), { recursive: true });
      await appendFile(summary, fit(markdown, await sizeOf(summary)));
    },
  };
}

export async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0;
}

const cutNote = '\n\n(cut here: the whole is in `out/`)\n';

/** As much of `markdown` as fits beside what is there; a cut falls between two lines, and no fence stays open. */
export function fit(markdown: string, usedBytes: number): string {
  const freeBytes = summaryMaxBytes - usedBytes;
  const bytes = Buffer.from(markdown);
  if (bytes.length <= freeBytes) return markdown;
  const roomBytes = freeBytes - 2 * Buffer.byteLength(cutNote);
  if (roomBytes <= 0) return '';
  const kept = bytes.subarray(0, Math.max(0, bytes.lastIndexOf('\n', roomBytes))).toString('utf8');
  return `${kept}${openFence(kept)}${cutNote}`;
}

/** What closes a fence that the cut has left open. */
function openFence(text: string): string {
  let open = '';
  for (const [fence] of text.matchAll(/^`{3,}/gm)) open = open === '' ? fence : fence.length >= open.length ? '' : open;
  return open === '' ? '' : `\n${open}`;
}
