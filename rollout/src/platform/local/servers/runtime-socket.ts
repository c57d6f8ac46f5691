import { createConnection } from 'node:net';

const answerMaxBytes = 4 << 20;

/**
 * Sends one line (commands divided by `;`) to HAProxy's runtime socket and gives the whole answer, trimmed.
 * @throws {Error} if the socket is gone, the answer is longer than 4 MiB, or `signal` aborts
 */
export function runtimeCommand(socketPath: string, command: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path: socketPath });
    const stop = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      answer += text;
      if (answer.length > answerMaxBytes)
        socket.destroy(new Error(`the answer is longer than ${answerMaxBytes} bytes`));
    });
    socket.on('error', reject);
    socket.on('close', () => {
      signal.removeEventListener('abort', stop);
      resolve(answer.trim());
    });
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    else socket.write(`${command}\n`);
  });
}
