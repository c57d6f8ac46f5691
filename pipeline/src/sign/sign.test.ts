import { generateKeyPairSync } from 'node:crypto';
import { type Digest, digest } from '@headgate/rollout';
import { describe, expect, test } from '@jest/globals';
import { normalized } from './sbom.ts';
import { isSignedBy, readSigningKey, readVerifyKey, type Signed, signDigest } from './signature.ts';

const one = digest(`sha256:${'1'.repeat(64)}`);
const two = digest(`sha256:${'2'.repeat(64)}`);
const image = (of: Digest): Signed => ({ of: 'image', digest: of });
const pems = (type: 'ed25519' | 'ed448') => {
  const { privateKey, publicKey } = generateKeyPairSync(type as 'ed25519');
  return {
    secret: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    open: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
};

describe('signDigest()', () => {
  test('is proved by the public half of its key, for its digest and kind alone', () => {
    const { secret, open } = pems('ed25519');
    const signature = signDigest(image(one), readSigningKey(secret));

    expect(isSignedBy(image(one), signature, readVerifyKey(open))).toBe(true);
    expect(isSignedBy(image(two), signature, readVerifyKey(open))).toBe(false);
    expect(isSignedBy(image(one), `A${signature.slice(1)}`, readVerifyKey(open)) && !signature.startsWith('A')).toBe(
      false,
    );
    expect(isSignedBy(image(one), '', readVerifyKey(open))).toBe(false);
    expect(isSignedBy({ of: 'approval', digest: one }, signature, readVerifyKey(open))).toBe(false);
  });
});

test.each([['not a key'], [pems('ed448').secret]])('a key of another kind is refused, without a word of it', (pem) => {
  expect(() => readSigningKey(pem)).toThrow(
    expect.objectContaining({ code: 'USAGE', message: expect.not.stringContaining(pem.slice(0, 9)) }),
  );
});

test('normalized() makes documents of two runs equal, and of two images different', () => {
  const run = (serial: string, at: string) =>
    JSON.stringify({ serialNumber: serial, metadata: { timestamp: at, tool: 'npm' }, components: [{ name: 'nats' }] });

  const first = normalized(run('urn:uuid:1', '2026-01-01'), one);

  expect(normalized(run('urn:uuid:2', '2026-01-02'), one)).toEqual(first);
  expect(normalized(run('urn:uuid:1', '2026-01-01'), two)).not.toEqual(first);
  expect(JSON.parse(first.toString()).serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-1{4}-81{3}-81{3}-1{12}$/);
});
