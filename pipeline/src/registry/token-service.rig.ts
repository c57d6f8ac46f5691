/** A token service as registries with accounts have one (distribution-spec, "Token authentication"), beside a real registry that believes it. */
import { execFile } from 'node:child_process';
import { createHash, createPrivateKey, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Repositories of each user, with what may be done there; of the user `''` what everybody may. */
export type Accounts = Readonly<Record<string, { secret: string; may: Readonly<Record<string, readonly string[]>> }>>;

export interface TokenService extends AsyncDisposable {
  /** For the configuration of the registry. */
  readonly auth: Readonly<Record<string, unknown>>;
  /** Each token that was given: to whom, for what. */
  readonly given: string[];
  /** Of tokens from now on. */
  lifetimeSeconds: number;
}

const service = 'registry of the test';
const issuer = 'token service of the test';

export async function startTokenService(folder: string, accounts: Accounts): Promise<TokenService> {
  const [keyFile, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=test'];
  await promisify(execFile)('openssl', ['req', '-x509', ...kind, '-keyout', keyFile, '-out', certificate]);
  const key = createPrivateKey(await readFile(keyFile));
  const { stdout: open } = await promisify(execFile)(
    'openssl',
    ['pkey', '-in', keyFile, '-pubout', '-outform', 'DER'],
    {
      encoding: 'buffer',
    },
  );
  const header = { typ: 'JWT', alg: 'ES256', kid: keyId(open) };
  const tokenOf = (claims: object) => {
    const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  };

  const rig = { given: [] as string[], lifetimeSeconds: 300 };
  const server = createServer(({ url = '', headers }, response) => {
    const asked = new URL(url, 'http://any').searchParams;
    const [user = '', secret] = Buffer.from(headers.authorization?.slice(6) ?? '', 'base64')
      .toString()
      .split(':');
    const account = accounts[user];
    if (asked.get('service') !== service || (user !== '' && account?.secret !== secret)) {
      response.writeHead(401).end('{"details":"incorrect username or password"}');
      return;
    }
    const access = asked.getAll('scope').map((scope) => {
      const [type, name = '', actions = ''] = scope.split(':');
      const may = account?.may[name] ?? [];
      return { type, name, actions: actions.split(',').filter((action) => may.includes(action)) };
    });
    rig.given.push(`${user} ${access.map(({ name, actions }) => `${name}:${actions.join(',')}`).join(' ')}`);
    const now = Math.floor(Date.now() / 1_000);
    const times = { iat: now - 5, nbf: now - 5, exp: now + rig.lifetimeSeconds };
    const token = tokenOf({ iss: issuer, sub: user, aud: service, jti: randomUUID(), ...times, access });
    response.end(JSON.stringify({ token, expires_in: rig.lifetimeSeconds }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const realm = `http://127.0.0.1:${port}/token`;
  return Object.assign(rig, {
    auth: { token: { realm, service, issuer, rootcertbundle: certificate } },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}

/** The registry finds the key by this name of it (docker/libtrust). */
function keyId(open: Buffer): string {
  const bits = [...createHash('sha256').update(open).digest().subarray(0, 30)]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('');
  const letters = [...bits.matchAll(/.{5}/g)].map(
    ([five]) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(five, 2)],
  );
  return (letters.join('').match(/.{4}/g) ?? []).join(':');
}
