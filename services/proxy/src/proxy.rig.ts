import { readConfig } from './config.ts';
import type { Log } from './log.ts';
import { type RunningProxy, startProxy } from './proxy.ts';

/** A proxy in this process, on free ports. */
export interface TestProxy extends RunningProxy, AsyncDisposable {
  readonly events: string[];
}

export async function openProxy(env: Readonly<Record<string, string>>): Promise<TestProxy> {
  const read = readConfig({ HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: '0', SUBJECT_PREFIX: 'ratings-blue', ...env });
  if (read.kind === 'issues') throw new Error(JSON.stringify(read.issues));
  const events: string[] = [];
  const log: Log = (event) => void events.push(event);
  const proxy = await startProxy(read.config, log);
  return { ...proxy, events, [Symbol.asyncDispose]: () => proxy.stop() };
}
