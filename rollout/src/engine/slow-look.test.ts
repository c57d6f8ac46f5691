import { expect, test } from '@jest/globals';
import { type Instant, instant, type Lane } from '../lane.ts';
import type { Processes, ProcessSeen } from '../metrics/processes.ts';
import type { Occurrence } from './occurrence.ts';
import { openSlowLook } from './slow-look.ts';
import { partsOf } from './slow-parts.ts';

/** Processes that answer when the test says so. */
function aRig() {
  const series: { [lane in Lane]: Record<string, number> | undefined } = {
    blue: { latency: 100, 'latency/40': 100, startedAtSec: 0 },
    green: { latency: 0 },
  };
  const asked: (() => void)[] = [];
  const occurred: Occurrence[] = [];
  let held = false;
  let fails = false;
  const processes: Processes = {
    async observe(lane): Promise<readonly ProcessSeen[]> {
      const answer = [{ id: lane, ready: true, series: series[lane] && { ...series[lane] } }];
      if (held) await new Promise<void>((go) => asked.push(go));
      if (fails) throw new Error('nobody lists it');
      return answer;
    },
  };
  const slow = openSlowLook({ processes, queue: undefined }, (one) => occurred.push(one), new AbortController().signal);
  return {
    slow,
    series,
    occurred,
    answer(lane: Lane, bucket: number, count: number) {
      const of = series[lane] ?? {};
      of['latency'] = (of['latency'] ?? 0) + count;
      of[`latency/${bucket}`] = (of[`latency/${bucket}`] ?? 0) + count;
    },
    hold: (on: boolean) => {
      held = on;
      if (!on) for (const go of asked.splice(0)) go();
    },
    fail: (on: boolean) => {
      fails = on;
    },
  };
}

const at = (sec: number): Instant => instant(1_000_000 + sec * 1_000);
const settled = () => new Promise((resolve) => setImmediate(resolve));
const never = new AbortController().signal;

test('poll() waits for nothing and gives each stretch once, by the time between the readings', async () => {
  const { slow, answer } = aRig();
  slow.poll(at(0));
  await settled();
  const mark = slow.poll(at(1));
  answer('blue', 40, 7);
  answer('green', 60, 3);
  slow.poll(at(2));
  await settled();
  const told = slow.poll(at(3));
  const again = slow.poll(at(3));

  expect(mark?.lanes).toBeUndefined();
  expect(partsOf(told, 'green').latency).toEqual({ seconds: 2, live: [[40, 7]], candidate: [[60, 3]] });
  expect(again).toBeUndefined();
});

test('an answer that comes late is one of its own time, and one that is overtaken is none', async () => {
  const { slow, answer, hold } = aRig();
  await slow.fresh(at(0), never);
  answer('blue', 40, 5);
  hold(true);
  slow.poll(at(2));
  await settled();
  const meanwhile = slow.poll(at(3));
  answer('blue', 40, 4); // Not in what was asked at 2 s.
  hold(false);
  await settled();
  const late = slow.poll(at(4));
  const [first, second] = [late, await slow.fresh(at(8), never)].map((seen) => partsOf(seen, 'green').latency);

  expect(meanwhile).toBeUndefined();
  expect(first).toMatchObject({ seconds: 2, live: [[40, 5]] });
  expect(second).toMatchObject({ seconds: 6, live: [[40, 4]] });

  hold(true);
  slow.poll(at(10));
  await settled();
  answer('blue', 40, 2);
  const reading = slow.fresh(at(11), never);
  await settled();
  hold(false);
  expect(partsOf(await reading, 'green').latency).toMatchObject({ seconds: 3, live: [[40, 2]] });
  await settled();
  expect(slow.poll(at(12))).toBeUndefined();
});

test('what cannot be read is no sample and is told; the next reading covers the whole time', async () => {
  const { slow, answer, fail, occurred } = aRig();
  await slow.fresh(at(0), never);
  fail(true);
  const missing = await slow.fresh(at(2), never);
  fail(false);
  answer('blue', 40, 6);
  const next = await slow.fresh(at(4), never);

  expect(missing).toBeUndefined();
  expect(occurred).toMatchObject([{ kind: 'unseen', port: 'metrics', message: 'nobody lists it' }]);
  expect(partsOf(next, 'green').latency).toMatchObject({ seconds: 4, live: [[40, 6]] });
});

test('a lane that does not tell is no lane without latencies', async () => {
  const { slow, series } = aRig();
  series.green = {};
  await slow.fresh(at(0), never);
  const told = await slow.fresh(at(2), never);

  expect(told?.tells).toEqual({ blue: ['latency'], green: [] });
  expect(partsOf(told, 'green').latency).toBeUndefined();
});

test('forget() leaves the stretch up to the next reading to nobody', async () => {
  const { slow, answer } = aRig();
  await slow.fresh(at(0), never);
  answer('blue', 40, 6);
  slow.forget();
  const mark = await slow.fresh(at(2), never);

  expect(mark?.lanes).toBeUndefined();
});

test('a clock that goes back makes no stretch of negative length', async () => {
  const { slow, answer } = aRig();
  await slow.fresh(at(100), never);
  answer('blue', 40, 6);
  const back = await slow.fresh(at(40), never);
  answer('blue', 40, 3);
  const next = await slow.fresh(at(42), never);

  expect(partsOf(back, 'green').latency).toBeUndefined();
  expect(partsOf(next, 'green').latency).toMatchObject({ seconds: 2, live: [[40, 3]] });
});

test('the first reading brings the past of a process, at most ten minutes of it', async () => {
  const { slow, series } = aRig();
  series.blue = { latency: 1_000, 'latency/40': 1_000, startedAtSec: at(-1_200) / 1_000 };

  const seen = await slow.fresh(at(0), never);

  expect(seen?.past.blue.latency).toEqual([[40, 500]]);
});
