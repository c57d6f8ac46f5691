import { openRecords, parseSpec, readHead } from '@headgate/rollout';
import { expect, test } from '@jest/globals';
import { aClusterShell } from './cluster.rig.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);

const specOf = (namespace: string): string => `app: ratings
services:
  proxy: { source: services/proxy, port: 8080, env: { GREETING: written } }
kubernetes:
  namespace: ${namespace}
  traffic: { gateway-api: { route: ratings }, replicas: { namespace: gateway, service: traefik } }
`;

test('env --from cluster prints what the live lane has for eval and as JSON, and 12 before there is one', async () => {
  await using shell = await aClusterShell(specOf);
  await shell.run('bootstrap', '--gateway', 'gateway/main', '--host', 'ratings.test');
  const set = ['set', 'env', 'deployment/ratings-green-proxy', "GREETING=it's here", 'API_TOKEN=correct-horse'];
  await shell.kubectl(set);
  await shell.kubectl(['set', 'env', 'deployment/ratings-green-proxy', '--env', 'a.b=1']);
  const before = await shell.run('env', 'proxy', '--from', 'cluster');
  await makeLive(specOf(shell.namespace));

  const { code, out, err } = await shell.run('env', 'proxy', '--from', 'cluster');
  const json = await shell.run('env', '--from', 'cluster', '--json');
  const revealed = await shell.run('env', '--from', 'cluster', '--reveal');

  expect(before).toMatchObject({ code: 12, err: expect.stringContaining('as nothing is live yet') });
  expect([code, err]).toEqual([0, '']);
  expect(out).toContain(`GREETING='it'\\''s here'\n# API_TOKEN is hidden: --reveal\n# "a.b" is no name for a shell\n`);
  expect(JSON.parse(json.out)).toMatchObject({ GREETING: "it's here", API_TOKEN: null, 'a.b': '1' });
  expect(revealed.out).toContain('API_TOKEN=correct-horse\n');
}, 60_000);

/** Lane green, as the end of a first release leaves it in the journal. */
async function makeLive(text: string): Promise<void> {
  const parsed = parseSpec(text, { file: 'headgate.yaml' });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  const { journal } = openRecords(parsed.spec, '');
  const stored = await journal.read(signal());
  const head = { ...(await readHead(journal, 'ratings', signal())), live: 'green' };
  await journal.write(JSON.parse(JSON.stringify(head)), stored?.version, signal());
}
