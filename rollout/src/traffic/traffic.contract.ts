import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { closedWeights, type Lane, lanes, type Pin, percent, type Weights, weightsFor } from '../lane.ts';
import type { TrafficRouter } from './traffic.ts';

/** `lane` is the mark of the answer, `undefined` without one. */
type Answer = { readonly status: number; readonly lane: string | undefined };

/** A router under test, with both lanes up, and requests to send through it. */
export interface TrafficRig extends AsyncDisposable {
  readonly router: TrafficRouter;
  send(headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** A request that takes its lane so long. Absent: nobody waits for those that are under way. */
  sendSlow?(ms: number): Promise<Answer>;
  /** Takes the endpoints of a lane away. */
  stop(lane: Lane): Promise<void>;
  /** Runs this again when the data plane has begun anew meanwhile, as others' changes make one that is shared do. Absent: it is not shared. */
  undisturbed?<T>(run: () => Promise<T>): Promise<T>;
}

const probe: Pin = { header: 'Headgate-Probe', value: '42', lane: 'green' };

/** What an implementation cannot do, each with its reason: then the contract holds it to saying so. */
export type Cannot = {
  /** Pins to both lanes beside a weight of both. */
  readonly pinToBoth?: string;
  /** A lane with weight fails on its own: without endpoints it is left out. */
  readonly failAlone?: string;
  /** A weight of 0 is waited for until the lane stands still. */
  readonly standStill?: string;
};

/** Every implementation of `TrafficRouter` passes this, the fake included. */
export function describeTrafficRouter(name: string, open: () => Promise<TrafficRig>, cannot: Cannot = {}): void {
  describe(`${name} as a TrafficRouter`, () => {
    let rig: TrafficRig;
    const signal = (): AbortSignal => AbortSignal.timeout(10_000);
    /** It may take its time to agree, and never agrees with anything else meanwhile. */
    const agreed = async (weights: Weights, pins: readonly Pin[] = []): Promise<void> => {
      const within = signal();
      let seen = await rig.router.observe(within);
      while (seen.kind === 'pending') {
        await sleep(20, undefined, { signal: within }).catch(() =>
          expect(seen).toEqual({ kind: 'agreed', weights, pins }),
        );
        seen = await rig.router.observe(within);
      }
      expect(seen).toEqual({ kind: 'agreed', weights, pins });
    };
    const inForce = async (weights: Weights, pins: readonly Pin[] = []): Promise<void> => {
      expect(await rig.router.setWeights(weights, signal())).toEqual({ kind: 'done' });
      if (pins.length > 0) expect(await rig.router.setPins(pins, signal())).toEqual({ kind: 'done' });
      await agreed(weights, pins);
    };

    beforeEach(async () => {
      rig = await open();
    });
    afterEach(async () => {
      await rig[Symbol.asyncDispose]();
    });

    test('observe() finds both lanes closed and no pin at the start, and requests find nobody', async () => {
      await agreed(closedWeights);
      expect(await rig.send()).toEqual({ status: 503, lane: undefined });
    });

    test('observe() agrees with the weights just set, also when they are set again', async () => {
      for (const share of [0, 5, 5, 100, 50, 1]) {
        const weights = weightsFor('green', percent(share));
        expect(await rig.router.setWeights(weights, signal())).toEqual({ kind: 'done' });
        await agreed(weights);
      }
      await rig.router.setWeights(closedWeights, signal());
      await agreed(closedWeights);
    });

    test.each([
      { blue: 50, green: 49 },
      { blue: 100, green: 1 },
      { blue: 0, green: 1 },
    ])('setWeights() refuses blue $blue and green $green and changes nothing', async ({ blue, green }) => {
      await rig.router.setWeights(weightsFor('blue', percent(75)), signal());

      const set = rig.router.setWeights({ blue: percent(blue), green: percent(green) }, signal());

      await expect(set).rejects.toMatchObject({ name: 'InvariantError' });
      await agreed(weightsFor('blue', percent(75)));
    });

    const strange: Pin = { header: 'X-Variant', value: 'a b;(.*)\\n"ä"=<<,#', lane: 'blue' };

    if (cannot.pinToBoth === undefined) {
      test('setPins() replaces all pins whole, keeps their order, and touches no weight', async () => {
        const weights = weightsFor('blue', percent(95));
        await inForce(weights, [strange, probe]);

        await rig.router.setPins([probe], signal());
        await agreed(weights, [probe]);
        await rig.router.setWeights(weightsFor('blue', percent(50)), signal());
        await agreed(weightsFor('blue', percent(50)), [probe]);
        await rig.router.setPins([], signal());
        await agreed(weightsFor('blue', percent(50)));
      });
    } else {
      test('setPins() replaces all pins to one lane whole, keeps their order, and touches no weight', async () => {
        const weights = weightsFor('blue', percent(95));
        const [first, second] = ['b', 'a.(B) c'].map((value): Pin => ({ header: 'X-Variant', value, lane: 'green' }));
        await inForce(weights, [first!, second!]);

        await rig.router.setPins([second!], signal());
        await agreed(weights, [second!]);
        await rig.router.setWeights(weightsFor('blue', percent(50)), signal());
        await agreed(weightsFor('blue', percent(50)), [second!]);
        await rig.router.setPins([], signal());
        await agreed(weightsFor('blue', percent(50)));
      });

      test(`setPins() says that it cannot pin to both lanes (${cannot.pinToBoth}), and changes nothing`, async () => {
        const weights = weightsFor('blue', percent(95));
        await inForce(weights, [probe]);

        expect(await rig.router.setPins([strange, probe], signal())).toEqual({
          kind: 'unsupported',
          why: expect.stringMatching(/\S/),
        });
        await agreed(weights, [probe]);
      });
    }

    test.each([
      { what: 'the name in another case', headers: { 'headgate-PROBE': '42' }, lane: 'green' },
      {
        what: 'other headers around it',
        headers: { accept: '*/*', 'headgate-probe': '42', 'x-z': '1' },
        lane: 'green',
      },
      { what: 'a longer value', headers: { 'headgate-probe': '421' }, lane: 'blue' },
      { what: 'a longer name', headers: { 'x-headgate-probe': '42' }, lane: 'blue' },
      { what: 'the pin inside another value', headers: { 'x-a': 'headgate-probe: 42' }, lane: 'blue' },
    ])('a request with $what goes to $lane', async ({ headers, lane }) => {
      await inForce(weightsFor('blue', percent(100)), [probe]);

      expect(await rig.send(headers)).toEqual({ status: 200, lane });
    });

    test('values of pins are taken literally, and differ by case', async () => {
      await inForce(weightsFor('blue', percent(100)), [{ header: 'x-variant', value: 'a.(B) c', lane: 'green' }]);

      expect(await rig.send({ 'x-variant': 'a.(B) c' })).toMatchObject({ lane: 'green' });
      expect(await rig.send({ 'x-variant': 'ax(B) c' })).toMatchObject({ lane: 'blue' });
      expect(await rig.send({ 'x-variant': 'a.(b) c' })).toMatchObject({ lane: 'blue' });
    });

    test.each([
      { what: 'it alone', cookie: 'variant=always', lane: 'green' },
      { what: 'it among others', cookie: 'a=1; variant=always; b=2', lane: 'green' },
      { what: 'a longer value', cookie: 'variant=always2', lane: 'blue' },
      { what: 'a longer name', cookie: 'a=1; my-variant=always', lane: 'blue' },
      { what: 'another value', cookie: 'variant=never', lane: 'blue' },
      { what: 'it in another case', cookie: 'variant=Always', lane: 'blue' },
    ])('a pin with the header Cookie is one cookie: $what goes to $lane', async ({ cookie, lane }) => {
      await inForce(weightsFor('blue', percent(100)), [{ header: 'Cookie', value: 'variant=always', lane: 'green' }]);

      expect(await rig.send({ cookie })).toEqual({ status: 200, lane });
    });

    const keepsShare = async (share: number): Promise<void> => {
      await inForce(weightsFor('green', percent(share)));
      const requests = 400;
      const count = async (): Promise<number> => {
        let green = 0;
        for (let n = 0; n < requests; n++) if ((await rig.send()).lane === 'green') green++;
        return green;
      };

      const green = await (rig.undisturbed?.(count) ?? count());

      expect(Math.abs(green - (requests * share) / 100)).toBeLessThanOrEqual(1);
    };
    test.each([5, 25, 50])('a share of %i in a hundred is kept to within one request', keepsShare, 60_000);

    if (cannot.standStill === undefined) {
      test('weight 0 is agreed with when the lane has answered nothing for 2 s, requests that were under way included', async () => {
        await inForce(weightsFor('green', percent(50)));
        const ended = Array.from({ length: 4 }, async () => {
          const answer = await rig.sendSlow?.(1_500);
          return { ...answer, at: performance.now() };
        });
        await sleep(200); // They are on their way.

        await inForce(weightsFor('blue', percent(100)));
        const agreedAt = performance.now();

        const answers = await Promise.all(ended);
        const last = Math.max(...answers.flatMap(({ lane, at }) => (lane === 'green' ? [at] : [])));
        expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
        expect(agreedAt - last).toBeGreaterThanOrEqual(1_500); // Its client hears it later than it is counted.
      });
    } else {
      test(`weight 0 is agreed with at once (${cannot.standStill})`, async () => {
        await inForce(weightsFor('green', percent(50)));
        await rig.router.setWeights(weightsFor('blue', percent(100)), signal());

        expect(await rig.router.observe(signal())).toMatchObject({ kind: 'agreed' });
      });
    }

    test('a lane at weight 0 without an endpoint changes nothing for the other', async () => {
      await inForce(weightsFor('blue', percent(100)));
      await rig.stop('green');

      for (let n = 0; n < 20; n++) expect(await rig.send()).toEqual({ status: 200, lane: 'blue' });
      await agreed(weightsFor('blue', percent(100)));
    });

    test('a lane that has no endpoint yet is closed beside the other one', async () => {
      await rig.stop('green');

      await inForce(weightsFor('blue', percent(100)));

      for (let n = 0; n < 20; n++) expect(await rig.send()).toEqual({ status: 200, lane: 'blue' });
    });

    const failure = cannot.failAlone ?? 'fails under its own mark';
    test(`a lane with weight and without an endpoint: ${failure}`, async () => {
      await inForce(weightsFor('green', percent(50)));
      await rig.stop('green');

      const answers: Answer[] = [];
      for (let n = 0; n < 20; n++) answers.push(await rig.send());

      const own = cannot.failAlone === undefined ? 10 : 20;
      const [blue, green] = lanes.map((mark) => answers.filter(({ lane }) => lane === mark));
      expect(blue).toEqual(Array(own).fill({ status: 200, lane: 'blue' }));
      expect(green).toEqual(Array(20 - own).fill({ status: 503, lane: 'green' }));
    });

    test('an aborted signal begins nothing', async () => {
      const aborted = AbortSignal.abort();

      await expect(rig.router.setWeights(weightsFor('blue', percent(100)), aborted)).rejects.toMatchObject({
        name: 'AbortError',
      });
      await expect(rig.router.setPins([probe], aborted)).rejects.toMatchObject({ name: 'AbortError' });

      await agreed(closedWeights);
    });
  });
}
