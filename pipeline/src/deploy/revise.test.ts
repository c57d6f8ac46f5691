import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Hands, parseSpec, readHead, type Spec, templateOf } from '@headgate/rollout';
import { describe, expect, test } from '@jest/globals';
import { aPlatform, handsOn, isAt, quick } from '../../../rollout/src/engine.rig.ts';
import { releaseImages, revise } from './revise.ts';

const source = readFileSync(join(import.meta.dirname, '../../../headgate.yaml'), 'utf8');
const spec = specOf(source);
const sha = (letter: string) => `sha256:${letter.repeat(64)}`;
const image = (service: string, letter: string) => `registry:5000/ratings/${service}@${sha(letter)}`;
const both = { proxy: image('proxy', 'a'), rating: image('rating', 'b') };

const wanted = (of: Spec, commit?: string) => ({ template: templateOf(of), commit });

function specOf(text: string): Spec {
  const parsed = parseSpec(text, { file: 'headgate.yaml' });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  return parsed.spec;
}

describe('revise()', () => {
  test('is one name for equal images and template, whoever committed them', () => {
    const one = revise(spec, both, undefined, wanted(spec, 'c1'));
    const same = revise(spec, { rating: both.rating, proxy: both.proxy }, undefined, wanted(spec, 'c2'));

    expect(one.digests).toEqual({ proxy: sha('a'), rating: sha('b') });
    expect(one.repositories).toEqual({ proxy: 'registry:5000/ratings/proxy', rating: 'registry:5000/ratings/rating' });
    expect(same.id).toBe(one.id);
  });

  test('completes from live what nobody named', () => {
    const live = revise(spec, both, undefined, wanted(spec, 'c1'));

    const next = revise(spec, { rating: image('rating', 'd') }, live, wanted(spec, 'c2'));

    expect(next.digests).toEqual({ proxy: sha('a'), rating: sha('d') });
    expect(next.repositories['proxy']).toBe('registry:5000/ratings/proxy');
    expect(next.id).not.toBe(live.id);
  });

  test('a change of config alone is another revision', () => {
    const live = revise(spec, both, undefined, wanted(spec, 'c1'));
    const other = specOf(source.replace('PATH_PREFIX: /api', 'PATH_PREFIX: /other'));

    expect(revise(other, {}, live, wanted(other, 'c2')).id).not.toBe(live.id);
  });

  test.each([
    { images: { planet: image('planet', 'a') }, says: 'headgate.yaml has none of that name' },
    { images: { proxy: both.proxy }, says: 'nothing names an image of service "rating"' },
  ])('refuses $images', ({ images, says }) => {
    expect(() => revise(spec, images, undefined, wanted(spec, undefined))).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(says) }),
    );
  });
});

test('releaseImages() of one image, ordered while a release of the other runs, leaves that one live', async () => {
  await using world = aPlatform();
  const own = handsOn(world.ports, { spec: { ...quick, bakeMs: 2_000 } });
  const hands: Hands = { ...own, spec: { ...own.spec, services: spec.services } };
  const asked = { reason: 'by hand', insist: false, hotfix: false, deadLetterBacklog: false, verifyKey: undefined };
  const release = (images: Readonly<Record<string, string>>) =>
    releaseImages(hands, images, { ...wanted(spec), ...asked, ancestry: 'unknown' });
  await release(both);

  const first = release({ proxy: image('proxy', 'c') });
  await isAt(world.ports, 'holding');
  await Promise.all([first, release({ rating: image('rating', 'd') })]);

  const { live, lanes, history } = await readHead(world.ports.journal, 'test', AbortSignal.timeout(1_000));
  expect(history.map(({ outcome }) => outcome)).toEqual(['promoted', 'promoted', 'promoted']);
  expect(live && lanes[live]?.digests).toEqual({ proxy: sha('c'), rating: sha('d') });
}, 30_000);
