import { type Head, lastWordsIn } from '@headgate/rollout';
import type { Environment } from '../run/environment.ts';
import { hiddenInside } from '../run/hidden.ts';
import { type Redact, redactor } from '../run/redact.ts';
import { secretsOf } from '../run/secrets.ts';
import { withoutControls } from './lines.ts';

/** Beside a sentence, on a page where many things have their place. */
const noteMaxLines = 10;

/** What the instance said last that a release went back for, as lines that steer nothing. */
export function lastWordsOf(head: Head, release: number, env: Environment): readonly string[] {
  const lines = lastWordsIn(head, release);
  if (lines.length === 0) return [];
  // Before it is split: a secret may have several lines.
  const shown = hiderOf(head, env)(lines.join('\n')).split('\n');
  return withoutBlank(shown.map(withoutControls));
}

/** Hides our secrets, and those that variables of the app in this journal are. */
export function hiderOf({ release }: Head, env: Environment): Redact {
  const own = hiddenInside(release?.revision.template);
  return redactor({ ...secretsOf(env), ...Object.fromEntries(own.entries()) });
}

/** A sentence, and the last of the lines that say more than it does. */
export function withLastWords(text: string, lines: readonly string[]): string {
  const said = new Set(text.split('\n'));
  const more = withoutBlank(lines.map(withoutControls)).filter((line) => !said.has(line));
  return [text, ...more.slice(-noteMaxLines)].join('\n');
}

function withoutBlank(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => line.trim() !== '');
}
