import { access, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseRepository } from '../registry/http.ts';
import { type Partner, readSealed, writeSealed } from '../registry/sealed.ts';

/** Which images have passed which test: a mark is the hash of both. */
export interface Marks {
  has(mark: string, signal: AbortSignal): Promise<boolean>;
  add(mark: string, signal: AbortSignal): Promise<void>;
}

export type Sharing = Partner & {
  /** `host:port/prefix`. */
  readonly registry: string;
};

const mediaType = 'application/vnd.headgate.tested.v1+json';

/** Remembered below `cache` on this machine, and where machines share a registry also there, sealed. */
export function openMarks(cache: string, sharing: Sharing | undefined): Marks {
  const fileOf = (mark: string) => join(cache, 'tested', mark);
  const elsewhere = sharing && sealedMarks(sharing);
  return {
    async has(mark, signal) {
      const isHere = await access(fileOf(mark)).then(
        () => true,
        () => false,
      );
      return isHere || (await elsewhere?.has(mark, signal)) === true;
    },
    async add(mark, signal) {
      await mkdir(dirname(fileOf(mark)), { recursive: true });
      await writeFile(fileOf(mark), '');
      await elsewhere?.add(mark, signal);
    },
  };
}

/** What cannot be asked or told costs another test, and no delivery. */
function sealedMarks({ registry, secret, writes, warn }: Sharing): Marks {
  const sealing = { address: parseRepository(`${registry}/ci-cache`), secret, mediaType };
  const tagOf = (mark: string) => `tested-${mark}`;
  const failed = (error: unknown) => warn(`what other machines have tested is not known: ${String(error)}`);
  return {
    async has(mark, signal) {
      const found = await readSealed(sealing, tagOf(mark), signal).catch(failed);
      if (found?.kind === 'foreign') warn(`the mark ${tagOf(mark)} is not used, as its seal is not by our key`);
      return found?.kind === 'whole' && (found.document as { readonly mark?: unknown }).mark === mark;
    },
    async add(mark, signal) {
      if (writes)
        await writeSealed(sealing, { tags: [tagOf(mark)], document: { mark }, contents: [] }, signal).catch(failed);
    },
  };
}
