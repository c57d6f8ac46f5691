/** Who vouches for an image, or for a person's word: an Ed25519 signature over its digest, kept in the registry. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson, type Digest, HeadgateError } from '@headgate/rollout';

export type Signed = { readonly of: 'image' | 'approval'; readonly digest: Digest };

/** What is signed names its kind, so that it can stand for nothing else. The repository is left out: promotion keeps the digest, not the name. */
function payloadOf({ of, digest }: Signed): Buffer {
  return Buffer.from(canonicalJson({ kind: `headgate ${of} signature`, version: 1, digest }));
}

/** @returns the signature in base64 */
export function signDigest(signed: Signed, key: KeyObject): string {
  return sign(null, payloadOf(signed), key).toString('base64');
}

export function isSignedBy(signed: Signed, signature: string, key: KeyObject): boolean {
  return verify(null, payloadOf(signed), key, Buffer.from(signature, 'base64'));
}

/** From PEM (PKCS 8), e.g. of `openssl genpkey -algorithm ed25519`. @throws {HeadgateError} `USAGE`, without a word of the key */
export function readSigningKey(pem: string): KeyObject {
  return ed25519('HEADGATE_SIGNING_KEY', () => createPrivateKey(pem));
}

/** From PEM (SPKI), e.g. of `openssl pkey -pubout`. @throws {HeadgateError} `USAGE` */
export function readVerifyKey(pem: string): KeyObject {
  return ed25519('HEADGATE_VERIFY_KEY', () => createPublicKey(pem));
}

function ed25519(name: string, read: () => KeyObject): KeyObject {
  try {
    const key = read();
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // What OpenSSL says of a bad key helps nobody, and may quote it.
  }
  throw new HeadgateError('USAGE', `Cannot use ${name} as it must be an Ed25519 key in PEM`, {
    hint: 'make one with `openssl genpkey -algorithm ed25519`, and its public half with `openssl pkey -pubout`',
  });
}
