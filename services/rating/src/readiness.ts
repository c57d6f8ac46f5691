import type { Standing } from './presence.ts';

/** What readiness is made of. */
export type Health = {
  readonly stopping: boolean;
  readonly nats: Standing;
  readonly database: Standing;
  /** `unknown`: the source list was not read yet. `none`: it is read, and tells this worker not to pull. */
  readonly pulls: 'unknown' | 'none' | Standing;
};

/** A shorter absence of what both lanes share must not make the workers of both unready at once. */
const DOWN_MAX_MS = 10_000;

/** Whether the worker can do its work, and the sentence that `/readyz` answers. */
export function readiness(health: Health): { readonly ready: boolean; readonly why: string } {
  const why =
    (health.stopping ? 'shutting down' : undefined) ??
    lacking('NATS', health.nats) ??
    lacking('the database', health.database) ??
    lackingPulls(health.pulls);
  return { ready: why === undefined, why: why ?? 'ready' };
}

function lackingPulls(pulls: Health['pulls']): string | undefined {
  if (pulls === 'none') return undefined;
  if (pulls === 'unknown') return 'the source list was not read yet';
  return lacking('the consumer', pulls);
}

function lacking(what: string, { everUp, downMs }: Standing): string | undefined {
  if (!everUp) return `${what} was never reached`;
  return downMs > DOWN_MAX_MS ? `${what} is gone for ${Math.floor(downMs / 1_000)} s` : undefined;
}
