/** How a commit stands to others: facts that the pipeline found in git when it asked for a release. `unknown`: no commit says so. */
export type Ancestry =
  | 'unknown'
  | {
      /** Commit that was live then, if one was. */
      readonly live: string | undefined;
      readonly stands: 'descends' | 'older';
      /** Newest commits that it has and that one has not, itself included: live may be one of them when its turn comes. */
      readonly ahead: readonly string[];
    };

/** To the commit that is live now. */
export function standsTo(live: string | undefined, ancestry: Ancestry): 'descends' | 'older' | 'unknown' {
  if (ancestry === 'unknown') return 'unknown';
  if (live === ancestry.live) return ancestry.stands;
  if (live === undefined) return 'unknown';
  // Another commit went live while this one waited. What it does not have came from elsewhere.
  return ancestry.ahead.includes(live) ? 'descends' : 'older';
}

/** Whether `commit` is one that the other has beside what was live. */
export function isBehind(commit: string | undefined, ancestry: Ancestry): boolean {
  return commit !== undefined && ancestry !== 'unknown' && ancestry.ahead.includes(commit);
}
