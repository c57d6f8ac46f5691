/** What readiness is made of. */
export type Health = {
  readonly stopping: boolean;
  /** NATS was connected at least once. */
  readonly everUp: boolean;
  /** How long NATS has been gone; 0 while connected. */
  readonly natsDownMs: number;
};

/** A shorter absence must not take the proxies of both lanes out of rotation at once. */
const NATS_DOWN_MAX_MS = 10_000;

/** Whether traffic may come, and the sentence that `/readyz` answers. */
export function readiness({ stopping, everUp, natsDownMs }: Health): { readonly ready: boolean; readonly why: string } {
  if (stopping) return { ready: false, why: 'shutting down' };
  if (!everUp) return { ready: false, why: 'NATS was never connected' };
  if (natsDownMs > NATS_DOWN_MAX_MS)
    return { ready: false, why: `NATS is gone for ${Math.floor(natsDownMs / 1_000)} s` };
  return { ready: true, why: 'ready' };
}
