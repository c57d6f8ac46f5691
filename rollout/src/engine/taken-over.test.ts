import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { aPlatform, aRequest, handsOn } from '../engine.rig.ts';
import type { Hands } from '../hands/hands.ts';
import { startRelease } from '../hands/release.ts';
import { waitFor } from '../hands/wait.ts';
import type { TrafficRouter } from '../traffic/traffic.ts';

/** The first weights that split users are in force some time after they are written. */
function late(traffic: TrafficRouter, ms: number): TrafficRouter {
  let waiting: Promise<unknown> | undefined;
  return {
    ...traffic,
    async setWeights(weights, signal) {
      if (weights.blue > 0 && weights.green > 0) waiting ??= sleep(ms);
      if (waiting === undefined) return traffic.setWeights(weights, signal);
      void waiting.then(() => traffic.setWeights(weights, AbortSignal.timeout(1_000)));
      return { kind: 'done' };
    },
  };
}

test('who goes on with an interrupted release does not judge it by a weight that is not in force yet', async () => {
  await using world = aPlatform();
  await startRelease(handsOn(world.ports), aRequest('v1'));
  const told = new AbortController();
  const emit: Hands['emit'] = (occurrence) => {
    if (occurrence.kind === 'decided' && occurrence.decision.state.phase.kind === 'holding') told.abort();
  };
  await startRelease(handsOn(world.ports, { signal: told.signal, emit }), aRequest('v2'));
  const ports = { ...world.ports, traffic: late(world.traffic, 400) };

  await waitFor(handsOn(ports), 'ended', 30_000);

  const ended = await waitFor(handsOn(ports), 'ended', 1_000);
  expect(ended).toMatchObject({ head: { history: [{}, { outcome: 'promoted', text: expect.any(String) }] } });
}, 60_000);
