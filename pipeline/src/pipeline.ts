import { ordered } from './plan/graph.ts';
import type { Json } from './plan/schema.ts';
import type { Step } from './step.ts';

/** Frozen; its steps are in an order in which each comes after what it needs. */
export type Pipeline = {
  readonly name: string;
  readonly config: Json;
  readonly code: readonly string[];
  readonly steps: readonly Step[];
};

export type PipelineSpec = {
  readonly name: string;
  /** Parameters, part of what a run is; runs with equal name, commit and config are one run, begun anew or gone on with. `{}` unless given. */
  readonly config?: Json;
  /**
   * `import.meta.url` of the modules whose code the pure steps run. Their content is part of every key: what a step
   * does is as much an input as what it reads. Modules further away belong to `inputs.files`, or to a version in `values`.
   */
  readonly code: readonly string[];
  readonly steps: readonly Step[];
};

/** @throws {HeadgateError} `USAGE` on cycles, unknown needs, bad or doubled ids, two steps that write one path: all at once */
export function definePipeline({ name, config = {}, code, steps }: PipelineSpec): Pipeline {
  return Object.freeze({ name, config, code: Object.freeze([...code]), steps: Object.freeze(ordered(name, steps)) });
}
