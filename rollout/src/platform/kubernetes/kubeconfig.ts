import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { FAILSAFE_SCHEMA, load } from 'js-yaml';
import { HeadgateError } from '../../errors.ts';
import type { Access } from './access.ts';

type Fields = { readonly [key: string]: unknown };

/** Only these are read here; a user or cluster with anything else is for the library. */
const plainUser = new Set([
  'token',
  'tokenFile',
  'username',
  'password',
  'client-certificate',
  'client-certificate-data',
  'client-key',
  'client-key-data',
]);
const plainCluster = new Set([
  'server',
  'certificate-authority',
  'certificate-authority-data',
  'insecure-skip-tls-verify',
  'tls-server-name',
  'extensions',
]);

/**
 * What a kubeconfig says of one context, or `undefined` if it takes more than reading files to know.
 * @throws {HeadgateError} `CLUSTER_UNREACHABLE` for a file that cannot be read or names no such context
 */
export async function readKubeconfig(file: string, context?: string): Promise<Access | undefined> {
  const config = fields(await parse(file));
  const current = context ?? text(config['current-context']) ?? '';
  const chosen = named(config['contexts'], current, 'context');
  const cluster = chosen && named(config['clusters'], text(chosen['cluster']) ?? '', 'cluster');
  const server = cluster && text(cluster['server']);
  if (chosen === undefined || cluster === undefined || server === undefined) throw unclear(file, current);
  const user = named(config['users'], text(chosen['user']) ?? '', 'user') ?? {};
  if (!onlyHas(user, plainUser) || !onlyHas(cluster, plainCluster)) return undefined;
  const data = (from: Fields, key: string) => dataOrFile(from, key, dirname(file));
  const [ca, cert, key, token] = await Promise.all([
    data(cluster, 'certificate-authority'),
    data(user, 'client-certificate'),
    data(user, 'client-key'),
    tokenOf(user, dirname(file)),
  ]);
  const servername = text(cluster['tls-server-name']);
  const rejectUnauthorized = text(cluster['insecure-skip-tls-verify']) !== 'true';
  return {
    server,
    headers: authorization(user, token),
    tls: { ca, cert, key, servername, rejectUnauthorized },
    through: undefined,
  };
}

async function parse(file: string): Promise<unknown> {
  try {
    // Every scalar stays the text it is: a token of digits is no number.
    return load(await readFile(file, 'utf8'), { schema: FAILSAFE_SCHEMA });
  } catch (cause) {
    throw new HeadgateError('CLUSTER_UNREACHABLE', `Cannot read kubeconfig "${file}"`, {
      hint: 'check it with `kubectl config view`',
      cause,
    });
  }
}

function unclear(file: string, context: string): HeadgateError {
  return new HeadgateError(
    'CLUSTER_UNREACHABLE',
    `Cannot find a cluster in kubeconfig "${file}" as it must describe the context: current value is "${context}"`,
    { hint: 'see `kubectl config get-contexts`, and choose with `kubectl config use-context`' },
  );
}

function named(list: unknown, name: string, key: string): Fields | undefined {
  const found = Array.isArray(list) ? list.map(fields).find((entry) => entry['name'] === name) : undefined;
  return found && fields(found[key]);
}

function onlyHas(value: Fields, known: ReadonlySet<string>): boolean {
  return Object.keys(value).every((key) => known.has(key));
}

async function dataOrFile(from: Fields, key: string, folder: string): Promise<string | undefined> {
  const data = text(from[`${key}-data`]);
  if (data !== undefined) return Buffer.from(data, 'base64').toString();
  const file = text(from[key]);
  return file === undefined ? undefined : readFile(resolve(folder, file), 'utf8');
}

async function tokenOf(user: Fields, folder: string): Promise<string | undefined> {
  const file = text(user['tokenFile']);
  return text(user['token']) ?? (file && (await readFile(resolve(folder, file), 'utf8')).trim());
}

function authorization(user: Fields, token: string | undefined): Record<string, string> {
  if (token !== undefined) return { authorization: `Bearer ${token}` };
  const name = text(user['username']);
  if (name === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${name}:${text(user['password']) ?? ''}`).toString('base64')}` };
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}; // An object's members are unknown.
}

/** `undefined` for what is absent or empty. */
function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
