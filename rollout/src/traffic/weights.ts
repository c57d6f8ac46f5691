import { invariant } from '../errors.ts';
import type { Weights } from '../lane.ts';

/** Before each write, here again after the policy: a split that loses or doubles requests is never asked for. @throws {InvariantError} */
export function checkSplit({ blue, green }: Weights): void {
  invariant(
    blue + green === 100 || (blue === 0 && green === 0),
    `Cannot set weights as they must add up to 100 or both be 0: current value is "blue ${blue}, green ${green}"`,
  );
}
