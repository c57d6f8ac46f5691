/** Where a run takes place. After this nobody asks which CI it is; a laptop is a host too. */

/** What a merge brought. */
export type Change = {
  /** Full commit id; `undefined` outside of a git repository. */
  readonly commit: string | undefined;
  readonly branch: string | undefined;
  /** True if the files differ from the commit. */
  readonly dirty: boolean;
  /** Touched by the commit against its first parent, or not committed; relative to the root, sorted. */
  readonly files: readonly string[];
  /** Who is to be asked: `user@host`, `actions/<run>/<attempt>`, `jenkins/<job>/<n>`. */
  readonly actor: string;
};

export interface CiHost {
  readonly kind: 'local';
  /** @throws {HeadgateError} `STEP_FAILED` if git refuses to answer */
  change(signal: AbortSignal): Promise<Change>;
}
