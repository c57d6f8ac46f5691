import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import type { Weights } from '../lane.ts';
import type { GatewayRig } from './gateway.rig.ts';
import type { TrafficRig } from './traffic.contract.ts';
import type { TrafficRouter, TrafficSeen } from './traffic.ts';

/** What it says until it is not pending any more; everything that was pending, in order. */
export async function settled(
  router: TrafficRouter,
): Promise<{ readonly seen: TrafficSeen; readonly why: readonly string[] }> {
  const why: string[] = [];
  for (const within = AbortSignal.timeout(20_000); !within.aborted; await sleep(20)) {
    const seen = await router.observe(within);
    if (seen.kind !== 'pending') return { seen, why };
    if (why.at(-1) !== seen.why) why.push(seen.why);
  }
  throw new Error(`still pending: ${why.join('; ')}`);
}

/** Sets weights, and waits until the router agrees. */
export async function inForce(router: TrafficRouter, weights: Weights): Promise<void> {
  expect(await router.setWeights(weights, AbortSignal.timeout(20_000))).toEqual({ kind: 'done' });
  expect((await settled(router)).seen).toMatchObject({ kind: 'agreed', weights });
}

/** Requests as the contract of a router sends them. */
export function sendingOf(rig: Pick<GatewayRig, 'send'>): Required<Pick<TrafficRig, 'send' | 'sendSlow'>> {
  return {
    send: (headers) => rig.send(headers ? { headers } : {}),
    sendSlow: (ms) => rig.send({ path: `/slow/${ms}` }),
  };
}

export type Answered = Awaited<ReturnType<GatewayRig['send']>> & { readonly at: number };

/** One request after the other until it is disposed of. */
export function keepSending(
  rig: GatewayRig,
  replica: number,
): AsyncDisposable & { readonly answers: readonly Answered[] } {
  const answers: Answered[] = [];
  const stop = new AbortController();
  const send = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      answers.push({ ...(await rig.send({ replica })), at: performance.now() });
      await sleep(5);
    }
  };
  const ended = send();
  return {
    answers,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}
