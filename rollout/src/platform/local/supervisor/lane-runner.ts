import type { LaneTemplate, Revision } from '../../../revision.ts';
import type { LaneSeen, ProbeAnswer } from '../../../workload/workload.ts';
import { ask } from '../../ask.ts';
import type { LaneDesired } from './desired.ts';
import type { ProcessAt } from './instance.ts';
import { type RunnerOptions, ServiceRunner } from './service-runner.ts';

/** The last lines of one process, named by service and place. */
export type LogTail = { readonly name: string; readonly lines: readonly string[] };

/** Less than the driver waits for its own question. */
const probeMaxMs = 8_000;

function workersIn(revision: Revision | undefined): LaneTemplate['services'] {
  const services = Object.entries(revision?.template.services ?? {});
  return Object.fromEntries(services.filter(([, { port }]) => port === undefined));
}

/** All services of one lane. */
export class LaneRunner {
  readonly #options: Omit<RunnerOptions, 'service'>;
  readonly #services = new Map<string, ServiceRunner>();
  #desired: LaneDesired = { revision: undefined, lent: undefined, replicas: {} };
  #probes = 0;

  constructor(options: Omit<RunnerOptions, 'service'>) {
    this.#options = options;
  }

  set(desired: LaneDesired): void {
    this.#desired = desired;
    for (const service of this.#written()) {
      if (!this.#services.has(service)) this.#services.set(service, new ServiceRunner({ ...this.#options, service }));
    }
    // A service that the new revision does not have ends, too.
    for (const [service, runner] of this.#services)
      runner.set(this.#revisionOf(service), desired.replicas[service] ?? 0);
  }

  observe(): LaneSeen {
    const names = this.#written();
    const services = [...this.#services].map(([name, runner]) => [name, runner.observe()] as const);
    const shown = services.filter(([name, seen]) => names.includes(name) || seen.present > 0);
    const { revision, lent } = this.#desired;
    return {
      revision: lent === undefined ? revision?.id : undefined,
      autoscaler: 'none',
      labels: undefined,
      services: Object.fromEntries(shown),
    };
  }

  #written(): readonly string[] {
    const { revision, lent } = this.#desired;
    return Object.keys({ ...revision?.template.services, ...workersIn(lent) });
  }

  #revisionOf(service: string): Revision | undefined {
    const { revision, lent } = this.#desired;
    return service in workersIn(lent) ? lent : revision;
  }

  /** Whether every service has as many ready instances as it shall have. */
  get isComplete(): boolean {
    return [...this.#services.values()].map((runner) => runner.observe()).every(({ wanted, ready }) => ready >= wanted);
  }

  /** One proxy after the other, so that a lane with one bad proxy is found out. */
  async probe(): Promise<ProbeAnswer> {
    const templates = Object.entries(this.#desired.revision?.template.services ?? {});
    const [service, template] = templates.find(([, { probe }]) => probe !== undefined) ?? [];
    if (service === undefined || template?.probe === undefined)
      return { kind: 'unanswered', why: 'no service has a probe' };
    const ready = this.#services.get(service)?.instances.filter((instance) => instance.ready) ?? [];
    const chosen = ready[this.#probes++ % Math.max(1, ready.length)];
    if (chosen === undefined)
      return { kind: 'unanswered', why: `no ${service} of lane ${this.#options.lane} is ready` };
    return ask(`http://127.0.0.1:${chosen.port}${template.probe}`, {}, AbortSignal.timeout(probeMaxMs));
  }

  /** All that still exist, those that are shutting down included. */
  processes(): readonly ProcessAt[] {
    return [...this.#services.values()].flatMap((runner) => runner.instances.map((instance) => instance.process));
  }

  logs(): readonly LogTail[] {
    return [...this.#services].flatMap(([service, runner]) =>
      runner.instances.map(({ slot, log }) => ({ name: `${service} ${slot}`, lines: log.tail })),
    );
  }

  routeAgain(): void {
    for (const runner of this.#services.values()) runner.routeAgain();
  }

  async close(): Promise<void> {
    const services = Object.entries(this.#desired.revision?.template.services ?? {});
    const proxies = services.filter(([, { port }]) => port !== undefined).map(([name]) => name);
    // Proxies first: their last requests need the workers.
    await Promise.all(proxies.map((name) => this.#services.get(name)?.close()));
    await Promise.all([...this.#services.values()].map((runner) => runner.close()));
  }
}
