import type { Emit } from '../engine/occurrence.ts';
import { type Notice, noticesOf } from './notice.ts';

export interface Notifier extends AsyncDisposable {
  readonly emit: Emit;
}

/**
 * Tells of what a driver decides, one after the other and beside its work, which waits for nobody's ear. Closing it waits for what is
 * still to be told; `failed` hears of what could not be.
 */
export function openNotifier(tell: (notice: Notice) => Promise<void>, failed: (error: unknown) => void): Notifier {
  let told = Promise.resolve();
  return {
    emit(occurrence) {
      for (const notice of noticesOf(occurrence)) told = told.then(() => tell(notice)).catch(failed);
    },
    [Symbol.asyncDispose]: () => told,
  };
}
