import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { closedWeights, type Lane, type Pin, percent, type Weights, weightsFor } from '../lane.ts';
import type { TrafficRouter } from './traffic.ts';

/** `lane` is the mark of the answer, `undefined` without one. */
type Answer = { readonly status: number; readonly lane: string | undefined };

/** A router under test, with both lanes up, and requests to send through it. */
export interface TrafficRig extends AsyncDisposable {
  readonly router: TrafficRouter;
  send(headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** Takes the endpoints of a lane away. */
  stop(lane: Lane): Promise<void>;
}

const probe: Pin = { header: 'Headgate-Probe', value: '42', lane: 'green' };

/** Every implementation of `TrafficRouter` passes this, the fake included. */
export function describeTrafficRouter(name: string, open: () => Promise<TrafficRig>): void {
  describe(`${name} as a TrafficRouter`, () => {
    let rig: TrafficRig;
    const signal = (): AbortSignal => AbortSignal.timeout(10_000);
    const agreed = async (weights: Weights, pins: readonly Pin[] = []): Promise<void> =>
      expect(await rig.router.observe(signal())).toEqual({ kind: 'agreed', weights, pins });

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

    test('setPins() replaces all pins whole, keeps their order, and touches no weight', async () => {
      const weights = weightsFor('blue', percent(95));
      const strange: Pin = { header: 'X-Variant', value: 'a b;(.*)\\n"ä"=<<,#', lane: 'blue' };
      await rig.router.setWeights(weights, signal());

      expect(await rig.router.setPins([strange, probe], signal())).toEqual({ kind: 'done' });
      await agreed(weights, [strange, probe]);
      await rig.router.setPins([probe], signal());
      await agreed(weights, [probe]);
      await rig.router.setWeights(weightsFor('blue', percent(50)), signal());
      await agreed(weightsFor('blue', percent(50)), [probe]);
      await rig.router.setPins([], signal());
      await agreed(weightsFor('blue', percent(50)));
    });

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
      await rig.router.setWeights(weightsFor('blue', percent(100)), signal());
      await rig.router.setPins([probe], signal());

      expect(await rig.send(headers)).toEqual({ status: 200, lane });
    });

    test('values of pins are taken literally, and differ by case', async () => {
      await rig.router.setWeights(weightsFor('blue', percent(100)), signal());
      await rig.router.setPins([{ header: 'x-variant', value: 'a.(B) c', lane: 'green' }], signal());

      expect(await rig.send({ 'x-variant': 'a.(B) c' })).toMatchObject({ lane: 'green' });
      expect(await rig.send({ 'x-variant': 'ax(B) c' })).toMatchObject({ lane: 'blue' });
      expect(await rig.send({ 'x-variant': 'a.(b) c' })).toMatchObject({ lane: 'blue' });
    });

    test.each([5, 25, 50])('a share of %i in a hundred is kept to within one request', async (share) => {
      await rig.router.setWeights(weightsFor('green', percent(share)), signal());
      const requests = 400;
      let green = 0;
      for (let n = 0; n < requests; n++) if ((await rig.send()).lane === 'green') green++;

      expect(Math.abs(green - (requests * share) / 100)).toBeLessThanOrEqual(1);
    });

    test('a lane at weight 0 without an endpoint changes nothing for the other', async () => {
      await rig.router.setWeights(weightsFor('blue', percent(100)), signal());
      await rig.stop('green');

      for (let n = 0; n < 20; n++) expect(await rig.send()).toEqual({ status: 200, lane: 'blue' });
      await agreed(weightsFor('blue', percent(100)));
    });

    test('a lane with weight and without an endpoint fails under its own mark', async () => {
      await rig.router.setWeights(weightsFor('green', percent(50)), signal());
      await rig.stop('green');

      const answers = [];
      for (let n = 0; n < 20; n++) answers.push(await rig.send());

      expect(answers.filter(({ lane }) => lane === 'blue')).toEqual(Array(10).fill({ status: 200, lane: 'blue' }));
      expect(answers.filter(({ lane }) => lane === 'green')).toEqual(Array(10).fill({ status: 503, lane: 'green' }));
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
