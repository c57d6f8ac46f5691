import { HeadgateError } from '../../../errors.ts';
import { type Digest, digest } from '../../../revision.ts';

/** Where an image lies, and which one it is. */
export type ImageReference = {
  /** `http://host:port` on loopback, else `https://host`. */
  readonly origin: string;
  /** `host[:port]`. */
  readonly host: string;
  readonly name: string;
  readonly digest: Digest;
};

/** `reference` is `host[:port]/name@sha256:…`. A tag can be moved, so it is no name here. @throws {HeadgateError} `USAGE` */
export function parseReference(reference: string): ImageReference {
  const match = /^([^/@]+)\/([a-z0-9][a-z0-9._/-]*)@(sha256:[0-9a-f]{64})$/.exec(reference);
  const [, host = '', name = '', hash = ''] = match ?? [];
  if (match === null) {
    throw new HeadgateError(
      'USAGE',
      `Cannot use an image as it must be named "host:port/name@sha256:<64 hex digits>": current value is "${reference}"`,
      { hint: 'name it by digest, as `headgate run publish` prints it' },
    );
  }
  const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host);
  return { origin: `${loopback ? 'http' : 'https'}://${host}`, host, name, digest: digest(hash) };
}
