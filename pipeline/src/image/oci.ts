/** The default builder: everything in this process, without a daemon and without privilege. */
import { assemble } from './assemble.ts';
import { bundleProgram, bundleService } from './bundle.ts';
import type { BuilderOptions, ImageBuilder } from './image.ts';

/** Bundles the service into one thin layer over `base`. */
export function openImageBuilder({ base }: BuilderOptions): ImageBuilder {
  return {
    async build(request, signal) {
      signal.throwIfAborted();
      const entries = await bundleService(request);
      return assemble(request, { below: await base(signal), entries, program: bundleProgram }, signal);
    },
  };
}
