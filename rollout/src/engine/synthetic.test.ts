import { expect, test } from '@jest/globals';
import { instant } from '../lane.ts';
import { probeHeader } from '../pin.ts';
import { type Look, noEvidence } from '../policy/look.ts';
import type { Phase } from '../policy/phase.ts';
import { pinsAt } from '../policy/pins.ts';
import type { Release } from '../policy/release.ts';
import { revisionNamed } from '../simulate/named.ts';
import type { RouterRequest } from '../traffic/traffic.ts';
import { makeSyntheticSender } from './synthetic.ts';

const holding: Phase = { kind: 'holding', step: 0, since: instant(0) };
const synthetic = { requests: ['/a', '/b'], perSec: 10 };

/** What was sent in looks one second apart. */
async function sent({ phase = holding, thin = true, isNamed = true, seconds = 3 }) {
  const requests: RouterRequest[] = [];
  const sender = makeSyntheticSender({
    async send(request) {
      requests.push(request);
      return { kind: 'answered', status: 200, lane: undefined, revision: undefined };
    },
  });
  const release = {
    probe: 'secret',
    plan: { strategy: 'canary', synthetic: isNamed ? synthetic : undefined },
    revision: revisionNamed('v2'),
    state: { phase, pins: [] },
  } as unknown as Release; // No more of it is looked at.
  for (let t = 0; t < seconds; t++) {
    const look = { now: instant(1_000 * t), pins: pinsAt(release, phase), evidence: { ...noEvidence, thin } };
    sender.send(release, look as unknown as Look, AbortSignal.timeout(1_000));
    await new Promise(setImmediate); // They are answered by then.
  }
  return requests;
}

test("send() gives both lanes the same requests in turn, as many a second as were asked for, by a pin of Headgate's own", async () => {
  const requests = await sent({});

  expect(requests).toHaveLength(2 * (1 + 10 + 10));
  const of = (lane: string) =>
    requests.filter(({ headers }) => headers[probeHeader] === `secret-${lane}`).map(({ path }) => path);
  expect(of('blue').slice(0, 3)).toEqual(['/a', '/b', '/a']);
  expect(of('green')).toEqual(of('blue'));
});

test.each([
  { what: 'users send enough', given: { thin: false } },
  { what: 'no request is named', given: { isNamed: false } },
  { what: 'the new weight is not confirmed', given: { phase: { ...holding, kind: 'settling' } as Phase } },
  { what: 'one lane has everything', given: { phase: { kind: 'watching', since: instant(0) } as Phase } },
])('send() sends nothing when $what', async ({ given }) => {
  expect(await sent(given)).toEqual([]);
});

test("send() compares lanes before a blue/green switch by the start checks' request when none is named", async () => {
  const requests = await sent({ phase: { kind: 'comparing', since: instant(0) }, isNamed: false });

  expect(new Set(requests.map(({ path }) => path))).toEqual(new Set(['/']));
  expect(requests).toHaveLength(2 * (1 + 40 + 40));
});
