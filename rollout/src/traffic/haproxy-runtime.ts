import { withDeadline } from '../deadline.ts';
import { HeadgateError } from '../errors.ts';
import { runtimeCommand } from '../platform/local/servers/runtime-socket.ts';

const commandMaxMs = 2_000;

/**
 * Asks HAProxy's runtime socket with a deadline of 2 s.
 * @throws {HeadgateError} `code` if it cannot be reached; what `signal` was aborted with, if that came first
 */
export async function askHaproxy(
  socket: string,
  command: string,
  { code, signal }: { readonly code: 'TRAFFIC_UNREACHABLE' | 'METRICS_UNREACHABLE'; readonly signal: AbortSignal },
): Promise<string> {
  signal.throwIfAborted();
  try {
    return await runtimeCommand(socket, command, withDeadline(signal, commandMaxMs));
  } catch (cause) {
    signal.throwIfAborted();
    throw unreachable(socket, code, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** HAProxy gave no answer, or only a part of one. */
export function unreachable(
  socket: string,
  code: 'TRAFFIC_UNREACHABLE' | 'METRICS_UNREACHABLE',
  found: string,
  cause?: unknown,
): HeadgateError {
  return new HeadgateError(
    code,
    `Cannot ask HAProxy at "${socket}" as it must answer within ${commandMaxMs / 1_000} s: current value is "${found}"`,
    { hint: 'see with `headgate status` whether the local platform runs', cause },
  );
}
