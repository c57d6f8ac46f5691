import { describe } from '@jest/globals';
import { provide } from '../../ci/provide.rig.ts';
import { describeImageBuilder } from './image.contract.ts';
import { openImageBuilder } from './image.ts';

const withBuildah = (await provide({ buildah: 'buildah' }, 'buildah builds nothing')) ? describe : describe.skip;

withBuildah('with buildah (skipped where it cannot be installed)', () => {
  describeImageBuilder('buildah', (base) => openImageBuilder('buildah', { base }));
});
