import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { HeadgateError } from '../../errors.ts';
import type { Access, ReadAccess } from './access.ts';

/**
 * What the Kubernetes client makes of kubeconfigs: it runs credential plugins, asks identity providers, merges files and knows proxies.
 * It keeps the credentials that it got until they expire.
 */
export function openLibrary(files: readonly string[], context: string | undefined): ReadAccess {
  let config: KubeConfig | undefined;
  return async () => {
    try {
      config ??= loadConfig(files, context);
      return await accessOf(config);
    } catch (cause) {
      throw new HeadgateError('CLUSTER_UNREACHABLE', `Cannot get credentials from kubeconfig ${files.join(', ')}`, {
        hint: 'try `kubectl auth whoami` with the same kubeconfig',
        cause,
      });
    }
  };
}

/** Several files are merged as kubectl does. */
export function loadConfig([first = '', ...more]: readonly string[], context: string | undefined): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(first);
  for (const file of more) {
    const next = new KubeConfig();
    next.loadFromFile(file);
    config.mergeConfig(next, true);
  }
  if (context !== undefined) config.setCurrentContext(context);
  return config;
}

async function accessOf(config: KubeConfig): Promise<Access> {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`context "${config.getCurrentContext()}" names no cluster`);
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  return {
    server: cluster.server,
    headers: headersOf(options),
    tls: tlsOf(options),
    through: cluster.proxyUrl !== undefined && typeof options.agent === 'object' ? options.agent : undefined,
  };
}

function headersOf({ headers, auth }: RequestOptions): Record<string, string> {
  const pairs = Object.entries((headers ?? {}) as Record<string, unknown>); // The client sets a plain object.
  const basic = auth ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {};
  return { ...basic, ...Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), String(value)])) };
}

function tlsOf({ ca, cert, key, servername, rejectUnauthorized }: RequestOptions): Access['tls'] {
  return {
    ca: asPem(ca),
    cert: asPem(cert),
    key: asPem(key),
    servername,
    rejectUnauthorized: rejectUnauthorized ?? true,
  };
}

function asPem(value: unknown): string | Buffer | undefined {
  return typeof value === 'string' || Buffer.isBuffer(value) ? value : undefined;
}
