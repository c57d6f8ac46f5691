import { describe, expect, test } from '@jest/globals';
import { describeImageBuilder } from './image.contract.ts';
import { type BuilderKind, openImageBuilder } from './image.ts';

for (const kind of ['oci', 'memory'] satisfies BuilderKind[]) {
  describeImageBuilder(kind, (base) => openImageBuilder(kind, { base }));
}

describe('openImageBuilder()', () => {
  test('refuses a kind that nobody knows and names the known ones', async () => {
    const opening = openImageBuilder('kaniko', { base: async () => [] });

    await expect(opening).rejects.toMatchObject({
      code: 'UNKNOWN_KIND',
      message: 'Cannot build images as the builder must be known: current value is "kaniko"',
      hint: 'use one of oci, buildah, docker, memory',
    });
  });
});
