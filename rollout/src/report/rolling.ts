import type { Ended, Head, Rolling } from '../policy/release.ts';
import { duration, short } from './words.ts';

/** One that is under way, for `status`; `driver` holds the lock. */
export function rollingLines(rolling: Rolling | undefined, driver: string | undefined): readonly string[] {
  if (rolling === undefined) return [];
  const undriven = driver === undefined ? '; nobody drives it: headgate roll goes on, headgate rollback goes back' : '';
  return [`  rolling    ${rollingText(rolling)}${undriven}`];
}

/** The end of one, in a sentence. */
export function rolledText({ id, revision, outcome, startedAt, endedAt, text }: Ended): string {
  const how = outcome === 'promoted' ? 'was carried out' : 'was rolled back';
  return `rolling update ${id} (${short(revision)}) ${how} after ${duration(endedAt - startedAt)}: ${text}`;
}

/** What the journal knows of the rolling update of this number; `undefined`: it is none. No decision was taken in it, and no evidence. */
export function explainRoll({ rolling, history, quarantined }: Head, id: number): readonly string[] | undefined {
  if (rolling?.id === id) return [rollingText(rolling), 'it has no end yet'];
  const ended = history.find((one) => one.id === id && one.strategy === 'rolling');
  if (ended === undefined) return undefined;
  const { commit, actor, outcome } = ended;
  const by = `${commit === undefined ? '' : `commit ${commit.slice(0, 7)}, `}by ${actor}`;
  const isBad = quarantined.some(({ release }) => release === id);
  return [
    rolledText(ended),
    by,
    ...(outcome === 'rolledBack' ? ['live has what it had before'] : []),
    ...(isBad ? ['this revision does not come back by itself'] : []),
  ];
}

function rollingText({ id, revision, actor, reason }: Rolling): string {
  return `update ${id} of live to ${short(revision.id)}, by ${actor}: ${reason}`;
}
