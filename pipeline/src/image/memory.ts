/** A builder that compiles nothing: a real layout in a millisecond, for tests of what comes after a build. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HeadgateError } from '@headgate/rollout';
import { assemble } from './assemble.ts';
import type { BuilderOptions, ImageBuilder } from './image.ts';

const program = { entrypoint: ['/app/main.ts'], workingDir: '/app', env: [] };

/** The image holds `src/main.ts` as it is written. */
export function openImageBuilder({ base }: BuilderOptions): ImageBuilder {
  return {
    async build(request, signal) {
      signal.throwIfAborted();
      const main = join(request.source, 'src', 'main.ts');
      const content = await readFile(join(request.workspace, main)).catch((cause: unknown) => {
        throw new HeadgateError('STEP_FAILED', `Cannot build an image as "${main}" must exist`, {
          hint: 'name a service folder that has a src/main.ts',
          cause,
        });
      });
      const entries = [{ kind: 'file', path: 'app/main.ts', executable: false, content }] as const;
      return assemble(request, { below: await base(signal), entries, program }, signal);
    },
  };
}
