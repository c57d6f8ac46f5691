import { request } from 'node:http';
import { expect, test } from '@jest/globals';
import { HeadgateError } from '../errors.ts';
import { openMemoryJournal } from '../journal/memory.ts';
import { defaultJudge } from '../judge/judge.ts';
import { countsOnly } from '../judge/sample.ts';
import { newPlay, perform } from '../simulate/play.ts';
import { parseSpec } from '../spec.ts';
import { openDashboard } from './dashboard.ts';

/** In the midst of its first step, beside a journal in memory. */
async function aDashboard() {
  const play = newPlay();
  for (const line of ['live v1', 'release v2', 'verdict hold', 'until holding (step 0)']) perform(play, line);
  const records = openMemoryJournal();
  const { journal } = records;
  const signal = AbortSignal.timeout(5_000);
  const head = JSON.parse(JSON.stringify(play.head));
  const written = await journal.write(head, undefined, signal);
  const sides = { live: { requests: 380, failed: 0, refused: 0 }, candidate: { requests: 20, failed: 0, refused: 0 } };
  const samples = [1, 2, 3].map((sec) => ({
    kind: 'sample',
    at: 1_000 * sec,
    sample: { ...countsOnly, ...sides, seconds: 1, candidateShare: 5 },
    lags: null,
  }));
  const settings = { ...defaultJudge, slow: [] };
  const entries = [{ kind: 'start', settings }, { kind: 'share', share: 5 }, ...samples];
  await journal.appendEvidence(play.head.release?.id ?? 0, JSON.parse(JSON.stringify(entries)), signal);
  const dashboard = await openDashboard({ records, spec: aSpec() }, 0);
  return {
    ...dashboard,
    /** What stands in the journal from now on. */
    write: (next: object) =>
      journal.write(JSON.parse(JSON.stringify(next)), written.kind === 'written' ? written.version : '', signal),
    get: async (path: string) =>
      (await (await fetch(`${dashboard.url}${path}`)).json()) as { readonly lines: readonly string[] },
  };
}

function aSpec() {
  const parsed = parseSpec('app: play\nservices: { web: { source: web, port: 8080 } }\n', { file: 'headgate.yaml' });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  return parsed.spec;
}

test('openDashboard() shows what status and why say, and that as it is when it is asked', async () => {
  await using dashboard = await aDashboard();

  const status = await dashboard.get('status');
  const release = await dashboard.get('release');
  await dashboard.write({ app: 'play', lanes: {}, history: [], decisions: [] });

  expect(status).toMatchObject({ app: 'play', state: 'releasing' });
  expect(status.lines.join('\n')).toMatch(/^play · release 1 · canary · at 5 % for .*\n {2}live {7}blue .* 95 %/);
  expect(release).toMatchObject({ release: 1, plot: expect.stringMatching(/^<svg [\s\S]*Release 1: /) });
  expect(release.lines[0]).toMatch(/^HEALTHY_PROGRESS: worse than tolerated /);
  expect(await dashboard.get('status')).toMatchObject({ lines: ['play · nothing has been released yet'] });
  expect(await dashboard.get('release')).toEqual({});
});

test('openDashboard() sends a page that may load nothing from elsewhere', async () => {
  await using dashboard = await aDashboard();

  const answer = await fetch(dashboard.url);

  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none';/);
  expect(await answer.text()).not.toMatch(/(src|href)="(?!data:)[^"]/);
});

test('openDashboard() says why it cannot read, and what to do', async () => {
  const { journal, ...others } = openMemoryJournal();
  const read = () => Promise.reject(new HeadgateError('CLUSTER_UNREACHABLE', 'Cannot read', { hint: 'try again' }));
  await using dashboard = await openDashboard(
    { records: { ...others, journal: { ...journal, read } }, spec: aSpec() },
    0,
  );

  const answer = await fetch(`${dashboard.url}status`);

  expect(answer.status).toBe(503);
  expect(await answer.json()).toEqual({ message: 'Cannot read', hint: 'try again' });
});

test.each([
  { what: 'another name of this machine', ask: { headers: { host: 'evil.test' } }, status: 403 },
  { what: 'a path that it has not', ask: { path: '/toString' }, status: 404 },
  { what: 'what would change something', ask: { path: '/status', method: 'POST' }, status: 404 },
])('openDashboard() answers $what with $status', async ({ ask, status }) => {
  await using dashboard = await aDashboard();

  const answered = await new Promise<number | undefined>((resolve, reject) => {
    request(dashboard.url, ask, (answer) => resolve(answer.resume().statusCode))
      .on('error', reject)
      .end();
  });

  expect(answered).toBe(status);
});

test('openDashboard() refuses a port that is taken', async () => {
  await using dashboard = await aDashboard();
  const { port } = new URL(dashboard.url);
  const shown = {} as Parameters<typeof openDashboard>[0]; // Nobody gets so far as to read it.

  await expect(openDashboard(shown, Number(port))).rejects.toMatchObject({ code: 'USAGE' });
});
