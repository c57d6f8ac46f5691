import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Somebody on this machine who asks for nothing but the time, and notices when nobody gives it. */
export interface Stillness extends AsyncDisposable {
  /** The longest wait since the last question, in ms beyond what was asked for. */
  longestMs(): Promise<number>;
}

const tickMs = 5;

/** A thread of its own: the sender of the load is busy with the load. */
const watch = `
const { parentPort } = require('node:worker_threads');
let last = performance.now();
let longest = 0;
setInterval(() => {
  const now = performance.now();
  longest = Math.max(longest, now - last - ${tickMs});
  last = now;
}, ${tickMs});
parentPort.on('message', () => {
  parentPort.postMessage(longest);
  longest = 0;
});
parentPort.postMessage('ready');
`;

export async function watchStillness(): Promise<Stillness> {
  const worker = new Worker(watch, { eval: true });
  await once(worker, 'message');
  return {
    async longestMs() {
      const answer = once(worker, 'message');
      worker.postMessage('how long');
      return Number((await answer)[0]);
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}
