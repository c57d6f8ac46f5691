/** The default builder: everything in this process, without a daemon and without privilege. */
import { assemble } from './assemble.ts';
import { bundleProgram, bundleService } from './bundle.ts';
import type { BuilderOptions, ImageBuilder } from './image.ts';

/** Bundles the service into one thin layer over `base`. */
export function openImageBuilder({ base, others }: BuilderOptions): ImageBuilder {
  return {
    async build(request, signal) {
      signal.throwIfAborted();
      const entries = await bundleService(request);
      const [below, elsewhere] = [await base(signal), await others?.(signal)];
      return assemble(request, { below, others: elsewhere ?? [], entries, program: bundleProgram }, signal);
    },
  };
}
