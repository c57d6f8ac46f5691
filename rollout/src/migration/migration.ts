import { createHash } from 'node:crypto';
import type { Lane } from '../lane.ts';
import { canonicalJson, type LaneTemplate, type Revision, type ServiceTemplate } from '../revision.ts';

/** A program that brings the data to what a version needs. Users of the version before are served meanwhile, so it may only add. */
export type Migration = {
  /** Pinned by digest. */
  readonly image: string;
  readonly command: readonly string[];
  /** The number of the release that it is for. */
  readonly release: number;
  readonly revision: Revision;
  /** Where that will start. */
  readonly lane: Lane;
};

export type MigrationSeen =
  /** It never ran; or it failed, for an earlier release. */
  | { readonly kind: 'absent' }
  /** `text`: what it waits for, if it is told. */
  | { readonly kind: 'running'; readonly text: string | undefined }
  | { readonly kind: 'done' }
  /** With its last lines. */
  | { readonly kind: 'failed'; readonly text: string };

/** Runs each migration once: what was done for one release is done for all. */
export interface Migrations {
  /** Starts it if it is absent. Safe to repeat. @throws {HeadgateError} `WORKLOAD_UNREACHABLE` */
  run(migration: Migration, signal: AbortSignal): Promise<void>;
  /** @throws {HeadgateError} `WORKLOAD_UNREACHABLE` */
  observe(migration: Migration, signal: AbortSignal): Promise<MigrationSeen>;
}

/** One that is not done by then has failed, and is ended. */
export const migrationMaxMs = 600_000;

/** The same for the same content, whatever release it is for. */
export function contentOf({ image, command }: Pick<Migration, 'image' | 'command'>): string {
  return createHash('sha256').update(canonicalJson({ image, command })).digest('hex');
}

/** It runs as one of the workers, of which one has the database; an app without any has its proxy. */
export function runsAs({ services }: LaneTemplate): readonly [service: string, template: ServiceTemplate] {
  const all = Object.entries(services);
  const [first] = all.filter(([, { port }]) => port === undefined).concat(all);
  if (first === undefined) throw new RangeError('a revision has a service');
  return first;
}

/** As a person reads it, on one line. */
export function failureText(what: string, lines: readonly string[]): string {
  return lines.length === 0 ? what : `${what}; its last words: ${lines.slice(-3).join(' | ')}`;
}
