import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { PodTemplate } from '../../revision.ts';

const script = join(import.meta.dirname, '../../../../pipeline/cluster/node.sh');

/** What pods have that go to the second node, and to no other. */
export const onSecondNode: PodTemplate = {
  spec: { nodeSelector: { second: '' }, tolerations: [{ key: 'second', operator: 'Exists' }] },
};

/** A second node of the test cluster until its block ends, or this process, whatever way that is. */
export async function startSecondNode(): Promise<AsyncDisposable & { lose(): Promise<void> }> {
  // In a session of its own: Ctrl-C ends this process, whose end it hears of.
  const child = spawn('bash', [script], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const ended = once(child, 'close');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const says = async (word: string) => {
    const { value = 'nothing more' } = await lines.next();
    if (value !== word) throw new Error(`the second node should be ${word}, and says ${value}`);
  };
  await says('up');
  return {
    async lose() {
      child.stdin.write('lose\n');
      await says('lost');
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}
