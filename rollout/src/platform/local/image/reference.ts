import { HeadgateError } from '../../../errors.ts';
import { originOf, pathOf } from '../../../registry/index.ts';
import { type Digest, digest } from '../../../revision.ts';

/** Where an image lies, and which one it is. */
export type ImageReference = {
  /** Where it is asked for: see `originOf`. */
  readonly origin: string;
  /** `host[:port]`, as people write it. */
  readonly host: string;
  /** As the registry has it. */
  readonly name: string;
  readonly digest: Digest;
};

/** `reference` is `host[:port]/name@sha256:…`. A tag can be moved, so it is no name here. @throws {HeadgateError} `USAGE` */
export function parseReference(reference: string, env: NodeJS.ProcessEnv = process.env): ImageReference {
  const match = /^([^/@]+)\/([a-z0-9][a-z0-9._/-]*)@(sha256:[0-9a-f]{64})$/.exec(reference);
  const [, host = '', name = '', hash = ''] = match ?? [];
  if (match === null) {
    throw new HeadgateError(
      'USAGE',
      `Cannot use an image as it must be named "host:port/name@sha256:<64 hex digits>": current value is "${reference}"`,
      { hint: 'name it by digest, as `headgate run publish` prints it' },
    );
  }
  return { origin: originOf(host, env), host, name: pathOf(host, name), digest: digest(hash) };
}
