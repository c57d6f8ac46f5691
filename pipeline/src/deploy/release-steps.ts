import { canonicalJson, type Gate, migrationMaxMs } from '@headgate/rollout';
import { comparePerf, perfSettings, perfTimeoutMs, requireNotSlower, variablesOf, verdictLines } from '../perf/gate.ts';
import { type PassedOver, passedOver, type Step, step } from '../step.ts';
import { imageTestCode, type Publish, requestsOf } from './image-steps.ts';
import { modulesIn } from './modules.ts';
import { imageFolder, type Place } from './place.ts';

/** As `imageStepsCode`. */
export const releaseStepsCode = [import.meta.url, ...imageTestCode, ...modulesIn(new URL('../perf/', import.meta.url))];

export type RevisionSeen = {
  readonly revision: string;
  /** Asks for a line on what a release of this commit does not bring, as bootstrap does; it may say nothing. */
  readonly due?: ((signal: AbortSignal) => Promise<string | undefined>) | undefined;
} & (
  | { kind: 'live' }
  /** A later commit is live in its place. */
  | { kind: 'passed' }
  | { kind: 'absent'; diff: string }
);

/** Staging is passed through: whatever comes after there, what was promoted goes on to its release. */
export type Stage = 'staging' | 'release';

/** `superseded`: it waited, and a newer one took its place, so it never began. */
export type Released = { readonly kind: 'done' } | { readonly kind: 'superseded'; readonly text: string };

/** Hears what is done, what is worth a remark beside the run, and at its end what the release had to pass. */
export type Listener = { log(line: string): void; note(line: string): void; gate(gate: Gate): void };

/** Releases the published images and answers once the release has ended. */
export interface Releaser {
  /** Whether the revision that the images make is live already, or has passed staging. */
  observe(images: Readonly<Record<string, string>>, stage: Stage, signal: AbortSignal): Promise<RevisionSeen>;
  /** @throws {HeadgateError} `ROLLED_BACK`, `UPDATE_FAILED`, `ROLLBACK_FAILED`, `QUARANTINED`, `REFUSED`, `LOCK_HELD` */
  release(images: Readonly<Record<string, string>>, told: Listener, signal: AbortSignal): Promise<Released>;
}

/** What publish gave: it is the first of the needs of all that comes after it. */
export function imagesOf(out: unknown): Readonly<Record<string, string>> {
  return (out as { publish: Readonly<Record<string, string>> }).publish;
}

/** Its result is a function of both versions: a version that was compared with this very live one is not compared again. */
export function perfStep(place: Place, publish: Publish, after: readonly Step[]) {
  const { spec, live = {} } = place;
  const env = variablesOf(spec.services);
  const { liveEnv = env } = place;
  const { migrate } = spec.release;
  const settings = perfSettings(spec.perf);
  return step('perf', {
    kind: 'pure',
    needs: [publish, ...after],
    inputs: {
      values: { live, liveEnv, services: spec.services, migrate: migrate ?? null, ...settings },
      asked: async ({ root }) => ({ values: { requests: await requestsOf(place, root) } }),
    },
    timeoutMs: perfTimeoutMs(settings) + (migrate === undefined ? 0 : migrationMaxMs),
    run: async ({ out, root, workDir, log, annotate, gate, signal }) => {
      const images = imagesOf(out);
      // Of what a template holds beside them, a process here is told its variables; nobody limits it to the resources of a pod.
      if (canonicalJson({ images, env }) === canonicalJson({ images: live, env: liveEnv }))
        return log('these images are live already, with these variables');
      const { app, services } = spec;
      const requests = await requestsOf(place, root);
      const asked = {
        app,
        services,
        migrate,
        before: live,
        beforeEnv: liveEnv,
        after: images,
        imageFolder: imageFolder(place),
        workFolder: workDir,
        requests,
        priority: place.priority,
        say: log,
        warn: (message: string) => {
          log(message);
          annotate({ level: 'warning', message });
        },
      };
      const verdict = await comparePerf({ ...asked, ...settings }, signal);
      const lines = verdictLines(verdict);
      for (const line of lines) log(line);
      if (verdict.kind === 'notSlower') annotate({ level: 'notice', message: lines.join('; ') }); // Else its failure says so.
      for (const one of verdict.gates) gate(one);
      requireNotSlower(verdict);
    },
  });
}

export function releaseStep(
  id: Stage,
  { publish, releaser, after }: { publish: Publish; releaser: Releaser; after: readonly Step[] },
) {
  return step(id, {
    kind: 'effect',
    needs: [publish, ...after],
    // The engine has deadlines of its own, and another release may come first.
    timeoutMs: Number.POSITIVE_INFINITY,
    observe: async ({ out, annotate, signal }) => {
      const seen = await releaser.observe(imagesOf(out), id, signal);
      const due = await seen.due?.(signal);
      if (due !== undefined) annotate({ level: 'warning', message: due });
      return seen.kind === 'absent' ? seen : { kind: 'done', values: undefined };
    },
    // What was superseded in staging was never there, and goes no further untested.
    run: async ({ out, log, annotate, gate, signal }): Promise<PassedOver | undefined> => {
      const note = (message: string) => {
        log(message);
        annotate({ level: 'notice', message });
      };
      const released = await releaser.release(imagesOf(out), { log, note, gate }, signal);
      return released.kind === 'superseded' ? passedOver(released.text) : undefined;
    },
  });
}
