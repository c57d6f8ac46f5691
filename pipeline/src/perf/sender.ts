import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { firstOf } from '@headgate/rollout';
import { argumentsFor } from '@headgate/rollout/local';
import type { Sending, Sent } from './side.ts';

/** A process that sends the load of one round after another. */
export interface Sender extends AsyncDisposable {
  /** An abort ends the process: what it would still say of this round is no answer to the next. @throws {Error} when its process ends, or has ended */
  send(sending: Sending, signal: AbortSignal): Promise<Sent>;
}

export async function openSender(): Promise<Sender> {
  const child = spawn(process.execPath, argumentsFor('sender-main', import.meta.url), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const gone = new AbortController();
  const ended = once(child, 'exit').then(
    ([code, killed]) => gone.abort(new Error(`the sender of the load ended with ${code ?? killed}`)),
    (error: unknown) => gone.abort(error), // It could not be started.
  );
  const answer = async (signal: AbortSignal): Promise<unknown> => {
    const within = firstOf([signal, gone.signal]);
    try {
      return (await once(child, 'message', { signal: within }))[0];
    } catch (error) {
      child.kill('SIGKILL');
      throw within.aborted ? within.reason : error;
    }
  };
  await answer(new AbortController().signal);
  return {
    async send(sending, signal) {
      signal.throwIfAborted();
      const sent = answer(signal);
      child.send(sending, () => undefined); // That it is gone is heard by its end.
      return (await sent) as Sent; // What sender-main sends.
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL'); // It holds nothing.
      await ended;
    },
  };
}
