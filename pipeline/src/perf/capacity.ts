import { setTimeout as sleep } from 'node:timers/promises';
import type { PerfRule, Side } from './rule.ts';
import { openSender } from './sender.ts';
import type { Sending } from './side.ts';

/** `perSecond`: the highest rate that was taken. `isMore`: the ramp ended before it broke. */
export type Capacity = { readonly perSecond: number; readonly isMore: boolean };

const growth = 1.25;
const stepsMax = 10;
const stepMs = 1_000;
const restMs = 100;

/** Sends at a rate that rises by a quarter each time, from `first` on, until answers do not keep up or too many fail. */
export async function ramp(
  first: number,
  rule: Pick<PerfRule, 'achievedMin' | 'errorsMax'>,
  send: (perSecond: number) => Promise<Side>,
): Promise<Capacity> {
  let taken = 0;
  for (let step = 0, rate = first; step < stepsMax; step++, rate = Math.round(rate * growth)) {
    const { achievedPerSecond, errors, requests } = await send(rate);
    if (achievedPerSecond < rule.achievedMin * rate || errors > rule.errorsMax * requests)
      return { perSecond: taken, isMore: false };
    taken = rate;
  }
  return { perSecond: taken, isMore: true };
}

/** For people: what both versions can take on this machine, with the sender beside them. No verdict hangs on it. */
export async function capacityLine(
  { before, after }: { readonly before: string; readonly after: string },
  load: Pick<Sending, 'often' | 'rare' | 'perSecond'>,
  rule: PerfRule,
  signal: AbortSignal,
): Promise<string> {
  await using sender = await openSender();
  const capacityOf = (origin: string) =>
    ramp(load.perSecond, rule, async (perSecond) => {
      await sleep(restMs, undefined, { signal });
      return (await sender.send({ ...load, origin, perSecond, roundMs: stepMs, latePart: rule.latePart }, signal)).side;
    });
  const [old, now] = [await capacityOf(before), await capacityOf(after)];
  return `capacity, by a rate that rises by a quarter each second: old ${words(old)}, new ${words(now)}`;
}

function words({ perSecond, isMore }: Capacity): string {
  return `${isMore ? 'more than ' : ''}${perSecond}/s`;
}
