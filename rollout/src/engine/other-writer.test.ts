import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { aPlatform, aRequest, handsOn } from '../engine.rig.ts';
import { startRelease } from '../hands/release.ts';
import { instant, type Pin, percent, type Weights, weightsFor } from '../lane.ts';
import type { Platform } from '../platform/platform.ts';
import { commandsOf } from '../policy/commands.ts';
import { decide } from '../policy/decide.ts';
import { type Look, noEvidence } from '../policy/look.ts';
import type { Phase } from '../policy/phase.ts';
import type { Release } from '../policy/release.ts';
import type { TrafficSeen } from '../traffic/traffic.ts';
import { readHead } from './book.ts';
import { perform } from './perform.ts';
import { makeWatcher } from './watcher.ts';

const signal = (): AbortSignal => AbortSignal.timeout(5_000);
const now = instant(Date.now());

let world: ReturnType<typeof aPlatform>;
let second: Release;

beforeAll(async () => {
  world = aPlatform();
  await startRelease(handsOn(world.ports), aRequest('v1'));
  await startRelease(handsOn(world.ports), aRequest('v2'));
  const { release } = await readHead(world.ports.journal, 'test', signal());
  if (release === undefined) throw new Error('no release');
  second = release;
});

afterAll(() => world[Symbol.asyncDispose]());

/** The second release of an app in this phase, and what a driver sees of it while the router says this. */
async function sightOf(seen: TrafficSeen, phase: Phase): Promise<{ readonly release: Release; readonly look: Look }> {
  const ports: Platform = { ...world.ports, traffic: { ...world.traffic, observe: async () => seen } };
  const watcher = makeWatcher(ports, () => {});
  const sights = await watcher.sight(now, false, signal());
  const state = { ...second.state, phase };
  const release: Release = { ...second, state, plan: { ...second.plan, raisedWeight: 'hold' } };
  const look = await watcher.look(release, sights, { now, evidence: noEvidence, wishes: [] }, signal());
  return { release, look };
}

const foreign = (weights: Weights, pins: readonly Pin[] = []): TrafficSeen => ({
  kind: 'foreign',
  weights,
  pins,
  manager: 'argocd',
});
const settling: Phase = { kind: 'settling', step: 0, since: now };
const holding: Phase = { kind: 'holding', step: 0, since: now };
const ago = (ms: number) => instant(now - ms);
const writesOf = ({ release, look }: { release: Release; look: Look }) =>
  commandsOf(release, look).filter(({ kind }) => kind === 'setWeights' || kind === 'setPins');

test('the right weights by another hand confirm nothing, and are written again', async () => {
  const { release, look } = await sightOf(foreign(weightsFor('green', percent(5))), settling);

  expect(look).toMatchObject({ weights: { green: 5 }, writer: 'argocd' });
  expect(decide(release, look).state.phase).toMatchObject({ kind: 'settling', step: 0 });
  expect(commandsOf(release, look)).toContainEqual({ kind: 'setWeights', weights: weightsFor('green', percent(5)) });
});

test('a weight that another hand raised is held under its name and not written over', async () => {
  const { release, look } = await sightOf(foreign(weightsFor('green', percent(50))), holding);

  expect(decide(release, look)).toMatchObject({ hold: 'foreign-writer', why: expect.stringContaining('argocd') });
  expect(commandsOf(release, look).filter(({ kind }) => kind === 'setWeights')).toEqual([]);
});

test('a weight that another hand lowered is a rollback by that hand', async () => {
  const { release, look } = await sightOf(foreign(weightsFor('green', percent(0))), holding);

  expect(decide(release, look).state.phase).toMatchObject({
    kind: 'rollingBack',
    reason: { kind: 'lowered', text: expect.stringContaining('argocd') },
  });
});

test('pins that another hand wrote are held under its name and not written over', async () => {
  const theirs: Pin = { header: 'X-Theirs', value: '1', lane: 'green' };
  const seen = await sightOf(foreign(weightsFor('green', percent(5)), [theirs]), holding);

  const { hold, why } = decide(seen.release, seen.look);
  expect({ hold, why }).toEqual({ hold: 'foreign-writer', why: 'argocd wrote the pins: X-Theirs: 1 to green' });
  expect(writesOf(seen)).toEqual([]);
});

test.each<[Phase, number]>([
  [{ kind: 'starting', since: ago(1_000) }, 40],
  [{ kind: 'comparing', since: ago(1_000) }, 40],
  [{ kind: 'settling', step: 1, since: ago(1_000) }, 10],
  [{ kind: 'settling', step: 0, since: ago(1_000) }, 40],
  [{ kind: 'promoting', since: ago(1_000) }, 70],
  [{ kind: 'closing', since: ago(6_000) }, 40],
  [{ kind: 'retiring', stage: 'proxies', since: ago(1_000) }, 60],
])('in %j a weight that another hand set to %i is held under its name and not fought', async (phase, seenPercent) => {
  const seen = await sightOf(foreign(weightsFor('green', percent(seenPercent))), phase);

  const decision = decide(seen.release, seen.look);
  expect(decision).toMatchObject({
    hold: 'foreign-writer',
    why: expect.stringContaining('argocd wrote the weights'),
  });
  expect(writesOf({ ...seen, release: { ...seen.release, state: decision.state } })).toEqual([]);
});

test.each<[Phase, number]>([
  [{ kind: 'settling', step: 0, since: ago(1_000) }, 0],
  [{ kind: 'settling', step: 1, since: ago(1_000) }, 5],
  [{ kind: 'promoting', since: ago(1_000) }, 0],
])('in %j a weight that another hand set back to %i is a rollback by that hand', async (phase, seenPercent) => {
  const { release, look } = await sightOf(foreign(weightsFor('green', percent(seenPercent))), phase);

  expect(decide(release, look).state.phase).toMatchObject({ kind: 'rollingBack', reason: { kind: 'lowered' } });
});

test('what a phase begins with is written over another hand, as a person who promotes expects', async () => {
  const seen = await sightOf(foreign(weightsFor('green', percent(40))), { kind: 'promoting', since: now });

  expect(writesOf(seen)).toContainEqual({ kind: 'setWeights', weights: weightsFor('green', percent(100)) });
});

test('a way back is written over another hand for some seconds, and then that hand is named', async () => {
  const reason = { kind: 'person', text: 'kim' } as const;
  const back = (since: Phase['since']): Phase => ({
    kind: 'rollingBack',
    stage: 'closing',
    reason,
    since,
    fencedAt: undefined,
    lentAt: undefined,
    drainMs: undefined,
  });
  const early = await sightOf(foreign(weightsFor('green', percent(40))), back(ago(4_000)));
  const late = await sightOf(foreign(weightsFor('green', percent(40))), back(ago(6_000)));

  expect(writesOf(early)).toContainEqual({ kind: 'setWeights', weights: weightsFor('blue', percent(100)) });
  expect(writesOf(late)).toEqual([]);
  expect(decide(late.release, late.look)).toMatchObject({
    hold: 'foreign-writer',
    why: expect.stringContaining('argocd'),
  });
});

test('a lane that another hand keeps open on the way back is adopted all the same, and keeps its proxies', async () => {
  const reason = { kind: 'person', text: 'kim' } as const;
  const at = (stage: 'stopping' | 'retiring'): Phase => ({
    kind: 'rollingBack',
    stage,
    reason,
    since: ago(30_000),
    fencedAt: ago(30_000),
    lentAt: undefined,
    drainMs: undefined,
  });
  const stopping = await sightOf(foreign(weightsFor('green', percent(40))), at('stopping'));
  const retiring = await sightOf(foreign(weightsFor('green', percent(40))), at('retiring'));

  expect(decide(stopping.release, stopping.look).state.phase).toMatchObject({ stage: 'binding' });
  expect(decide(retiring.release, retiring.look)).toMatchObject({ hold: 'foreign-writer' });
  expect(commandsOf(retiring.release, retiring.look).filter(({ kind }) => kind === 'scale')).toEqual([]);
});

test("people's pins stand beside Headgate's own, seen or not", async () => {
  const comparing: Phase = { kind: 'comparing', since: now };
  const { release, look } = await sightOf({ kind: 'pending', why: 'not yet' }, comparing);
  const asked = { actor: 'kim@desk', reason: '', since: now, test: false, wish: undefined };
  const pins = [{ ...asked, header: 'X-Team', value: 'qa', to: { kind: 'candidate' } } as const];

  const commands = commandsOf({ ...release, state: { ...release.state, live: 'blue', pins } }, look);

  const set = commands.find((command) => command.kind === 'setPins');
  expect(set?.pins.map(({ header, lane }) => `${header} ${lane}`)).toEqual([
    'X-Team green',
    'Headgate-Probe blue',
    'Headgate-Probe green',
  ]);
});

test('what a router cannot do is an outcome, with its reason', async () => {
  const unsupported = async () => ({ kind: 'unsupported', why: 'one header only' }) as const;
  const ports: Platform = { ...world.ports, traffic: { ...world.traffic, setPins: unsupported } };
  const { release } = await sightOf({ kind: 'pending', why: 'not yet' }, settling);

  const done = await perform({ kind: 'setPins', pins: [] }, release, ports, { lost: signal() });

  expect(done).toEqual({ kind: 'unsupported', why: 'one header only' });
});

test('whoever waits for a router hears what it waits for, in every phase', async () => {
  const { release, look } = await sightOf({ kind: 'pending', why: 'not yet in replica r2 of the gateway' }, settling);
  const reason = { kind: 'person', text: 'kim' } as const;
  const why = (phase: Phase) => decide({ ...release, state: { ...release.state, phase } }, look).why;

  expect(decide(release, look).hold).toBe('unconfirmed');
  expect(why(settling)).toBe('5 %: asked for and not confirmed yet: not yet in replica r2 of the gateway');
  const others: readonly Phase[] = [
    { kind: 'closing', since: now },
    { kind: 'comparing', since: now },
    { kind: 'promoting', since: now },
    {
      kind: 'rollingBack',
      stage: 'closing',
      reason,
      since: now,
      fencedAt: undefined,
      lentAt: undefined,
      drainMs: undefined,
    },
    { kind: 'returning', reason, since: now },
    { kind: 'retiring', stage: 'proxies', since: now },
  ];
  for (const phase of others) expect(why(phase)).toMatch(/: not yet in replica r2 of the gateway$/);
});
