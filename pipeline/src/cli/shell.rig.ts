import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPlainGuard } from '../host/guard.ts';
import { main } from './main.ts';
import type { Shell } from './shell.ts';

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** A shell in a folder of its own that keeps what is printed. */
export async function aShell(files: Readonly<Record<string, string>> = {}, env: Shell['env'] = {}) {
  const cwd = await mkdtemp(join(tmpdir(), 'headgate-cli-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text);
  return {
    cwd,
    async run(...args: string[]): Promise<Ran> {
      let out = '';
      let err = '';
      const code = await main(args, {
        out: (text) => {
          out += text;
        },
        err: (text) => {
          err += text;
        },
        env,
        cwd,
        isTerminal: false,
        user: 'kim@desk',
        person: 'kim',
        signal: new AbortController().signal,
        guard: openPlainGuard(() => {}),
      });
      return { code, out, err };
    },
    [Symbol.asyncDispose]: () => rm(cwd, { recursive: true, force: true }),
  };
}

/** A headgate.yaml of the smallest app on a cluster. */
export const shopOnKubernetes = `app: shop
services:
  proxy: { source: services/proxy, port: 8080 }
kubernetes:
  namespace: shop
  traffic:
    gateway-api: { route: shop }
    replicas: { namespace: gateway, service: traefik, listener: web, metrics: traefik }
`;
