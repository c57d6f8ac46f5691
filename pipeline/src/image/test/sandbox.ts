import { readFile } from 'node:fs/promises';
import { BoundedLog, type PulledImage, startBoxed } from '@headgate/rollout/local';
import { type Exit, findServer } from '@headgate/rollout/servers';

/** A process of an image, in the box that the local platform runs lanes in: read-only root, no capability. */
export interface Sandboxed extends AsyncDisposable {
  readonly ended: Promise<Exit>;
  /** At most 20. */
  lastLines(): readonly string[];
  /** SIGTERM, and SIGKILL after `graceMs`. */
  stop(graceMs: number): Promise<Exit>;
  /** Peak of resident memory so far. It is measured, not limited: a limit needs a cgroup that ordinary users cannot make. */
  peakBytes(): Promise<number>;
  /** Effective capabilities as the kernel writes them, 16 hex digits. */
  capabilities(): Promise<string>;
}

/** @throws {HeadgateError} `SERVER_MISSING` without bubblewrap */
export async function startSandboxed(
  image: PulledImage,
  { env, logFile }: { env: Readonly<Record<string, string>>; logFile: string },
): Promise<Sandboxed> {
  const { path: bwrap } = await findServer('bwrap');
  const log = new BoundedLog(logFile);
  const boxed = await startBoxed({ bwrap, image, env, log });
  const status = async (field: string) => {
    const text = await readFile(`/proc/${boxed.pids.at(-1)}/status`, 'utf8');
    return new RegExp(`^${field}:\\s+(\\S+)`, 'm').exec(text)?.[1] ?? '';
  };
  return {
    ended: boxed.ended,
    lastLines: () => log.tail,
    async stop(graceMs) {
      await boxed.stop(graceMs);
      return boxed.ended;
    },
    peakBytes: async () => Number(await status('VmHWM')) * 1_024,
    capabilities: () => status('CapEff'),
    async [Symbol.asyncDispose]() {
      await boxed.stop(0);
      await log.written();
    },
  };
}
