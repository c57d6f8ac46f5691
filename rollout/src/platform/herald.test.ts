import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import type { Occurrence } from '../engine/occurrence.ts';
import { instant } from '../lane.ts';
import { newPlay, perform } from '../simulate/play.ts';
import { openHerald, type Told } from './herald.ts';

const failure = (message: string): Occurrence => ({
  kind: 'commandFailed',
  at: instant(1_000),
  command: 'setWeights',
  message,
});

function decision(): Occurrence {
  const play = newPlay();
  for (const line of ['live v1', 'release v2']) perform(play, line);
  const { release } = play.head;
  if (release === undefined) throw new Error('no release');
  const decided = { state: release.state, commands: [], why: 'so it is', hold: undefined, answers: [] };
  return { kind: 'decided', at: release.startedAt, release, decision: decided };
}

/** Writes only once it is let, as to a server that is away until then. */
function aHerald(closeMaxMs?: number) {
  const heard: string[] = [];
  const failed: string[] = [];
  const back = new AbortController();
  const write = async ({ note }: Told, signal: AbortSignal) => {
    if (!back.signal.aborted) await once(back.signal, 'abort', { signal });
    heard.push(note);
  };
  const herald = openHerald({
    write,
    failed: (error) => failed.push(String(error)),
    ...(closeMaxMs !== undefined && { closeMaxMs }),
  });
  return { ...herald, heard, failed, back: () => back.abort() };
}

test('a herald tells in order, and closing it waits for the last', async () => {
  const { emit, heard, failed, back, ...herald } = aHerald();

  emit(decision());
  emit(failure('refused'));
  back();
  await herald[Symbol.asyncDispose]();

  expect(heard).toEqual([expect.stringMatching(/^release 1 .*: so it is$/), 'setWeights: refused']);
  expect(failed).toEqual([]);
});

test('a failure that comes again at each look is told once, and again after a decision', async () => {
  const { emit, heard, back, ...herald } = aHerald();
  back();

  for (let look = 0; look < 500; look++) emit(failure('no answer'));
  emit(decision());
  for (let look = 0; look < 500; look++) emit(failure('no answer'));
  await herald[Symbol.asyncDispose]();

  expect(heard).toEqual(['setWeights: no answer', expect.stringContaining('so it is'), 'setWeights: no answer']);
});

test('a server that is away has at most 100 told when it is back, the newest, and how many are missing is said', async () => {
  const { emit, heard, failed, back, ...herald } = aHerald();

  for (let look = 0; look < 1_000; look++) emit(failure(`no answer ${look}`));
  await sleep(0);
  back();
  await herald[Symbol.asyncDispose]();

  expect(heard.length).toBeLessThanOrEqual(101); // One was on its way.
  expect(heard.at(-1)).toBe('setWeights: no answer 999');
  expect(failed).toEqual([`Error: ${1_000 - heard.length} decisions and failures were not told in time`]);
});

test('closing a herald whose server stays away takes no longer than it may', async () => {
  const { emit, heard, failed, back: _back, ...herald } = aHerald(50);
  for (let n = 0; n < 3; n++) emit(failure(`no answer ${n}`));

  const began = performance.now();
  await herald[Symbol.asyncDispose]();
  emit(decision());

  expect(performance.now() - began).toBeLessThan(2_000);
  expect(heard).toEqual([]);
  expect(failed.at(-1)).toBe('Error: 2 decisions and failures were not told in time');
});
