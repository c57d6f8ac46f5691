import { picture, type Records, readStatus, type Spec } from '@headgate/rollout';
import type { Shell } from '../cli/shell.ts';
import type { Load } from '../perf/open-loop.ts';

/** A live picture at the foot of a terminal; lines that stay go above it. Elsewhere only the lines. */
export interface Stage {
  say(line: string): void;
  /** Shows the picture from now on, fresh every half second, until the answer is called. */
  watch(records: Records, spec: Spec, load: Load): () => void;
}

const redrawMs = 500;
const clearBelow = '\u001b[0J';

export function openStage(shell: Shell): Stage {
  let drawn: readonly string[] = [];
  const erase = () => {
    if (drawn.length > 0) shell.out(`\u001b[${drawn.length}A\r${clearBelow}`);
  };
  const draw = (lines: readonly string[]) => {
    erase();
    drawn = lines;
    if (lines.length > 0) shell.out(`${lines.join('\n')}\n`);
  };
  return {
    say(line) {
      if (!shell.isTerminal) {
        shell.out(`${line}\n`);
        return;
      }
      const below = drawn;
      draw([]);
      shell.out(`${line}\n`);
      draw(below);
    },
    watch(records, spec, load) {
      if (!shell.isTerminal) return () => {};
      let drawing = false;
      const timer = setInterval(() => {
        if (drawing) return;
        drawing = true;
        readStatus(records, spec, AbortSignal.timeout(2_000))
          .then((facts) => draw(['', ...picture(facts), `users       ${load.exchanges.length} requests answered`, '']))
          .catch(() => {}) // The next picture is half a second away.
          .finally(() => {
            drawing = false;
          });
      }, redrawMs);
      return () => {
        clearInterval(timer);
        draw([]);
      };
    },
  };
}
