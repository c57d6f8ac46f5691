import { seeded } from '../src/judge/chance.rig.ts';
import type { SparseHistogram } from '../src/judge/histogram.ts';
import { defaultJudge, primeJudge, startJudge, stepJudge } from '../src/judge/judge.ts';
import { countsOnly, type Sample } from '../src/judge/sample.ts';
import { report } from './part.ts';

/** What the judge of one release costs: CPU of a tick with everything in it, and its state. */
export function cost(): void {
  const chance = seeded(7);
  const latencies = (n: number): SparseHistogram => {
    const counts = new Map<number, number>();
    for (let i = 0; i < n; i++) {
      const bucket = Math.floor(60 + 40 * (chance() + chance() + chance() - 1.5));
      counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    }
    return [...counts].sort(([a], [b]) => a - b);
  };
  const lane = { arrived: 95, acked: 95, expired: 0, backlog: 3, delivered: 95, redelivered: 0, dropped: 0 };
  const slow = { seconds: 1, live: latencies(950), candidate: latencies(50) };
  const sample: Sample = {
    ...countsOnly,
    seconds: 1,
    candidateShare: 5,
    live: { requests: 950, failed: 1, refused: 9 },
    candidate: { requests: 50, failed: 0, refused: 1 },
    queue: { liveOldestMs: 3, candidateOldestMs: 2 },
    latency: slow,
    ackTime: slow,
    flow: { seconds: 1, live: lane, candidate: lane },
  };
  let state = startJudge({ ...defaultJudge, guardMs: 20_000, slow: ['latency', 'ackTime', 'flow'] });
  for (let t = 0; t < 60; t++)
    state = primeJudge(state, { ...countsOnly, seconds: 10, live: sample.live, latency: slow, ackTime: slow });
  for (let t = 0; t < 300; t++) [state] = stepJudge(state, sample); // Warm.
  const ticks = 2_000;
  const begun = process.cpuUsage();
  for (let t = 0; t < ticks; t++) [state] = stepJudge(state, sample);
  const { user, system } = process.cpuUsage(begun);
  report({
    name: 'CPU of a tick with latencies, queue and counts in it',
    measured: (user + system) / 1_000 / ticks,
    bound: 1,
    unit: 'ms',
  });
  for (const rule of state.rules) {
    const bytes = JSON.stringify(rule).length;
    const isFailure = rule.kind === 'pair';
    report({ name: `state of ${rule.name}`, measured: bytes, bound: isFailure ? 2_000 : 8_000, unit: 'bytes' });
  }
}
