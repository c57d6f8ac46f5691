import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { anEar } from '../../../rollout/src/notify/ear.rig.ts';
import { obeyedBy } from '../host/runner.rig.ts';
import { hostileTexts } from '../report/hostile.rig.ts';
import { type AppFolder, anApp } from './process.rig.ts';

const pem = (modulusLength: number) =>
  generateKeyPairSync('rsa', { modulusLength }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

const secrets = {
  NPM_TOKEN: 'p@ss/w0rd+"x\\y" ?=&%ü',
  DEPLOY_PRIVATE_KEY: pem(2_048),
  HEADGATE_GITHUB_TOKEN: 'ghp_0123456789abcdefghijklmnopqrstuvwxyz',
  /** Named by `HEADGATE_SECRETS` alone. */
  TEAM_WORD: 'open-sesame-7-and-more',
};

const base64 = (text: string) => Buffer.from(text).toString('base64');
/** As the tool of that name writes it. */
const wrapped = (text: string) => base64(text).replaceAll(/.{76}/g, '$&\n');

/** Every way in which a step might say a secret. */
const forms: Readonly<Record<string, (secret: string) => string>> = {
  plain: (secret) => secret,
  base64,
  'base64 in lines': wrapped,
  'base64 with what is before it': (secret) => base64(`kim:${secret}`),
  'base64 in lines with what is before it': (secret) => wrapped(`kim:${secret}@host`),
  base64url: (secret) => Buffer.from(`x${secret}`).toString('base64url'),
  URL: encodeURIComponent,
  form: (secret) => new URLSearchParams({ secret }).toString(),
  JSON: (secret) => JSON.stringify({ secret }),
};

/** Pieces of output, each written by itself. */
function saidOf(secret: string): readonly string[] {
  return Object.entries(forms).flatMap(([name, form]) => {
    const text = form(secret);
    const cut = Math.floor(text.length / 2);
    return [`${name} whole: ${text}\n`, `${name} cut: ${text.slice(0, cut)}`, `${text.slice(cut)}\n`];
  });
}

/** Whatever of a secret somebody could use: so many of its characters in a row, in any of its forms. */
const pieceChars = 16;
function piecesOf(text: string): readonly string[] {
  return Array.from({ length: Math.max(0, text.length - pieceChars + 1) }, (_, at) => text.slice(at, at + pieceChars));
}
const secretPieces = new Set(
  Object.values(secrets)
    .flatMap((secret) => [
      ...secret.split('\n'),
      base64(secret),
      base64(`x${secret}`).slice(2),
      base64(`xx${secret}`).slice(3),
      ...[0, 1, 2].map((offset) =>
        Buffer.from(`${'x'.repeat(offset)}${secret}`)
          .toString('base64url')
          .slice(offset + 1),
      ),
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
    ])
    .flatMap(piecesOf),
);

/** Says each piece, rests, and ends as it is told. */
const sayer = `#!/usr/bin/env node
const { readFileSync, writeSync } = require('node:fs');
const { pieces, code } = JSON.parse(readFileSync(process.env.HOME + '/say.json', 'utf8'));
const rest = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
const take = (bytes) => {
  try {
    return writeSync(1, bytes);
  } catch (error) {
    if (error.code !== 'EAGAIN') throw error;
    rest(); // npm, which shares this output, has made it one that does not wait for its reader.
    return 0;
  }
};
for (const piece of pieces) {
  for (let bytes = Buffer.from(piece, 'base64'); bytes.length > 0; ) bytes = bytes.subarray(take(bytes));
  rest();
}
process.exit(code);
`;

const escapes = [
  '\u001b[2J\u001b[31mred',
  '\u001b]0;title\u0007',
  '\u001b]8;;https://evil.example\u001b\\link',
  '50 %\r100 %\r',
];
const bytes = Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0xf0, 0x9f, 0x0a]);
const long = `${'long '.repeat(40_000)}::error::owned\n`;

type Sinks = Readonly<Record<string, string>>;

/** Runs `check` on a host, and gives all that anybody can read afterwards. */
async function sinksOf(host: Readonly<Record<string, string>>, code: number): Promise<Sinks> {
  await using app = await anApp(sayer);
  await using hook = await anEar(200);
  await using api = await anEar(201);
  // What comes last is what people see: both kinds are among it.
  const pieces = [
    ...Object.values(secrets).flatMap(saidOf),
    long,
    ...hostileTexts.map((text) => `${text}\n`),
    ...escapes,
    '\n',
    bytes,
    ...saidOf(secrets.NPM_TOKEN),
  ];
  const said = { pieces: pieces.map((piece) => Buffer.from(piece).toString('base64')), code };
  await writeFile(join(app.home, 'say.json'), JSON.stringify(said));
  const runner = join(app.root, 'out/runner');
  await mkdir(runner, { recursive: true });
  const files = Object.fromEntries(runnerFiles.map((name) => [`GITHUB_${name}`, join(runner, name)]));
  for (const file of Object.values(files)) await writeFile(file, '');
  const running = app.start(['run', 'check'], {
    ...files,
    ...host,
    ...secrets,
    HEADGATE_SECRETS: 'TEAM_WORD',
    HEADGATE_WEBHOOK: hook.url,
    GITHUB_TOKEN: 'token-of-the-job',
    GITHUB_REPOSITORY: 'kim/ratings',
    GITHUB_API_URL: api.url,
    GIT_URL: 'https://127.0.0.1/kim/ratings.git',
  });
  expect((await running.ended).code).toBe(code);
  const heard = (ear: typeof hook) => ear.heard.map(({ body }) => body).join('\n');
  return { stdout: running.text(), webhook: heard(hook), api: heard(api), ...(await filesOf(app)) };
}

async function filesOf({ root }: AppFolder): Promise<Sinks> {
  const entries = await readdir(root, { withFileTypes: true, recursive: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const own = paths.filter((path) => /\/(out|\.headgate)\//.test(path));
  return Object.fromEntries(
    await Promise.all(own.map(async (path) => [path.slice(root.length + 1), await readFile(path, 'utf8')] as const)),
  );
}

const runnerFiles = ['OUTPUT', 'STEP_SUMMARY', 'ENV', 'PATH', 'STATE'] as const;
const everywhere = [
  'stdout',
  'webhook',
  'api',
  '.headgate/fingerprints.json',
  '.headgate/runs/<run>/journal.jsonl',
  'out/logs/check.log',
  'out/metrics.prom',
  'out/run.json',
  ...runnerFiles.map((name) => `out/runner/${name}`),
];
const junit = 'out/junit/pipeline.xml';
const elsewhere = [...everywhere, 'out/outputs.json', 'out/summary.md'];

describe.each([
  { host: 'github', env: { GITHUB_ACTIONS: 'true' }, sinks: [...everywhere, junit, 'out/build.txt'] },
  {
    host: 'jenkins',
    env: { JENKINS_URL: 'http://jenkins.example/' },
    sinks: [...elsewhere, 'out/junit/pipeline-check.xml', 'out/build.txt'],
  },
  { host: 'local', env: {}, sinks: [...elsewhere, junit] },
])('hostile output of a step on $host', ({ host, env, sinks }) => {
  let failed: Sinks;
  let passed: Sinks;
  beforeAll(async () => {
    failed = await sinksOf(env, 1);
    passed = await sinksOf(env, 0);
  }, 120_000);

  test('no piece of a secret is in any sink', () => {
    const leaks = Object.entries({ failed, passed }).flatMap(([how, sinks]) =>
      Object.entries(sinks).flatMap(([sink, text]) =>
        text
          .split('\n')
          .filter((line) => piecesOf(line).some((piece) => secretPieces.has(piece)))
          .map((line) => `${how} ${sink}: ${line.slice(0, 120)}`),
      ),
    );
    expect(leaks.slice(0, 20)).toEqual([]);
    // Where it was looked: a sink that is not read here may leak.
    expect(
      Object.keys(failed)
        .map((sink) => sink.replace(/[0-9a-f]{12}/, '<run>'))
        .sort(),
    ).toEqual([...sinks].sort());
    expect(failed['out/logs/check.log']).toContain('plain whole: ***\n');
  });

  test('the commit hears how it ended, wherever its host has a token for that', () => {
    const heard = [failed, passed].map(({ api }) => /"state":"(\w+)","context":"headgate\/check"/.exec(api ?? '')?.[1]);

    expect(heard).toEqual(host === 'local' ? [undefined, undefined] : ['failure', 'success']);
  });

  test('a runner of GitHub obeys nothing that it says, and its files hold what Headgate writes alone', () => {
    const words = (sinks: Sinks) => obeyedBy(sinks['stdout'] ?? '').filter(({ name }) => name !== 'stop-commands');

    // No other host obeys anything, and these two do not have a guard.
    if (host === 'github')
      expect([words(failed), words(passed)].map(namesOf)).toEqual([ours('error'), ours('group', 'endgroup')]);
    for (const file of ['ENV', 'PATH', 'STATE']) expect(failed[`out/runner/${file}`]).toBe('');
    expect(passed['out/runner/OUTPUT'] ?? '').not.toContain('owned');
  });

  test('it steers no terminal, and its lines stay short', () => {
    for (const { stdout = '' } of [failed, passed]) {
      expect(stdout.replaceAll(/[\n\t]/g, '')).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
      expect(Math.max(...stdout.split('\n').map(({ length }) => length))).toBeLessThan(4_200);
    }
  });
});

const namesOf = (obeyed: readonly { readonly name: string }[]) => obeyed.map(({ name }) => name);
const ours = (...names: readonly string[]) => ['remove-matcher', 'remove-matcher', 'remove-matcher', ...names];
