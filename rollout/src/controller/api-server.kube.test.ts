import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { firstOf } from '../deadline.ts';
import { readHead } from '../engine/book.ts';
import { aPlatform, aRequest, handsOn, isAt, quick } from '../engine.rig.ts';
import { act } from '../hands/act.ts';
import { startRelease } from '../hands/release.ts';
import { emptyBox } from '../journal/kubernetes/wishes.ts';
import { openKubernetesJournal } from '../journal/kubernetes.ts';
import { temporaryNamespace, testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { openBoard } from './board.ts';
import { type ControllerEvent, runController } from './controller.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
const scripts = join(import.meta.dirname, '../../../pipeline/cluster');
const bash = (script: string, ...args: readonly string[]) =>
  promisify(execFile)('bash', [join(scripts, script), ...args], { timeout: 60_000 });

// Whoever lent a cluster did not lend its API server to be killed.
const ofOurs = testCluster().mode === 'taken' ? test.skip : test;

ofOurs(
  'an API server that is killed and started again while a controller drives ends no controller and no release',
  async () => {
    await using namespace = await temporaryNamespace();
    const { client } = namespace;
    await client.create(kinds.ConfigMap, emptyBox('test'), signal());
    await using world = aPlatform();
    const records = openKubernetesJournal(client, 'test');
    const ports = { ...world.ports, ...records };
    const events: ControllerEvent[] = [];
    const told = new AbortController();
    const board = openBoard(client, (app) => ({
      app,
      holder: 'controller-1',
      notify: () => () => {},
      records,
      emit: () => {},
      pace: { restMs: 100, alertMs: 100, transitMs: 50 },
      open: () => ({ ...ports, [Symbol.asyncDispose]: async () => {} }),
    }));
    const controller = runController(board, (event) => events.push(event), told.signal);
    await using _stopped = {
      async [Symbol.asyncDispose]() {
        told.abort();
        await controller;
      },
    };
    const asking = { driver: 'controller', signal: firstOf([told.signal, AbortSignal.timeout(100_000)]) } as const;
    const hands = handsOn(ports, asking);
    await startRelease(hands, aRequest('v1'));
    const slow = { ...quick, bakeMs: 12_000 };
    const release = startRelease(handsOn(ports, { ...asking, spec: slow }), aRequest('v2'));
    await isAt(ports, 'holding');
    const before = kindsOf(events);

    await bash('fault.sh', 'kill', 'kube-apiserver');
    await expect(readHead(records.journal, 'test', signal())).rejects.toMatchObject({ code: 'JOURNAL_UNREADABLE' });
    await bash('up.sh', '--any');
    expect((await environmentOf('kube-apiserver')).filter(isOfTests)).toEqual([]); // Or it ends with these tests.

    expect(await release).toMatchObject({ kind: 'ended', head: { live: 'green' } });
    const after = kindsOf(events).slice(before.length);
    expect(after).toContain('blind');
    expect(after.lastIndexOf('seeing')).toBeGreaterThan(after.lastIndexOf('blind'));
    // It hears what is wished from now on: nobody but it drives.
    expect(await act(hands, 'rollback', { release: 2, reason: 'try' })).toMatchObject({ kind: 'done' });
    const { history } = await readHead(records.journal, 'test', signal());
    expect(history.map(({ id }) => id)).toEqual([1, 2]);
  },
  120_000,
);

const isOfTests = (variable: string): boolean => /^(TMPDIR|NODE_OPTIONS)=/.test(variable);

async function environmentOf(program: string): Promise<readonly string[]> {
  const [pid] = (await readFile(join(dirname(process.env['HEADGATE_KUBE_CLUSTER']!), 'pids', program), 'utf8')).split(
    ' ',
  );
  return (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0');
}

function kindsOf(events: readonly ControllerEvent[]): readonly string[] {
  return events.map(({ kind }) => kind);
}
