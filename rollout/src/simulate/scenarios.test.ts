import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { newPlay, perform } from './play.ts';

const folder = join(import.meta.dirname, '../../scenarios');

/** A play is blocks of lines, `----`, and what happened, up to an empty line. `REWRITE_SCENARIOS=1` records it again. */
function replayText(text: string): string {
  const play = newPlay();
  return `${text
    .trimEnd()
    .split('\n\n')
    .map((block) => {
      const head = block.split('\n----')[0] ?? '';
      const lines = head.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      return lines.length === 0 ? head : [head, '----', ...lines.flatMap((line) => perform(play, line))].join('\n');
    })
    .join('\n\n')}\n`;
}

test.each(readdirSync(folder).filter((name) => name.endsWith('.txt')))('scenario %s plays as written', (name) => {
  const path = join(folder, name);
  const written = readFileSync(path, 'utf8');

  const played = replayText(written);

  if (process.env['REWRITE_SCENARIOS'] === '1') writeFileSync(path, played);
  else expect(played).toBe(written);
});
