import { describe } from '@jest/globals';
import { unless, whyWithout } from '../../ci/provide.rig.ts';
import { describeImageBuilder } from './image.contract.ts';
import { openImageBuilder } from './image.ts';

const withBuildah = unless(await whyWithout({ buildah: 'buildah' }), describe);

withBuildah('with buildah', () => {
  describeImageBuilder('buildah', (base) => openImageBuilder('buildah', { base }));
});
