import type { RunEvent } from '../event.ts';

/** One view of a run. It only listens; every text it gets is without secrets. */
export interface Reporter {
  on(event: RunEvent): void;
  /** The run is over, or this process's part in it. */
  close(): void;
}

/** Where a reporter writes. */
export type Write = (text: string) => void;
