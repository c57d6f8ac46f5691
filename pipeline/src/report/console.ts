import type { RunEvent } from '../event.ts';
import { formatEvent } from './lines.ts';
import type { Reporter, Write } from './report.ts';

/** Lines that stay, one or a few for each event: for logs of CI hosts, files and pipes. */
export function plainReporter(write: Write): Reporter {
  return {
    on: (event) => {
      for (const line of formatEvent(event)) write(`${line}\n`);
    },
    close: () => {},
  };
}

export type LiveOptions = {
  readonly write: Write;
  /** Width of the terminal, asked at each picture. */
  readonly columns: () => number;
  readonly now: () => number;
};

const redrawMs = 200;
const clearBelow = '\x1b[0J';

/** The same lines, and below them what runs right now, with its time and its last line. */
export function liveReporter({ write, columns, now }: LiveOptions): Reporter {
  const running = new Map<string, { since: number; line: string }>();
  let drawn = 0;

  const erase = () => {
    if (drawn > 0) write(`\x1b[${drawn}A\r${clearBelow}`);
    drawn = 0;
  };
  const draw = () => {
    for (const [step, { since, line }] of running) {
      const text = `  ${step.padEnd(20)} ${Math.floor((now() - since) / 1_000)} s  ${line}`;
      write(`${text.replaceAll(/\p{Cc}/gu, ' ').slice(0, Math.max(20, columns() - 1))}\n`);
      drawn += 1;
    }
  };
  const redraw = () => {
    erase();
    draw();
  };
  const timer = setInterval(redraw, redrawMs);
  timer.unref();

  return {
    on: (event) => {
      follow(event, running);
      const lines = formatEvent(event);
      if (lines.length === 0) return;
      erase();
      for (const line of lines) write(`${line}\n`);
      draw();
    },
    close: () => {
      clearInterval(timer);
      erase();
    },
  };
}

function follow(event: RunEvent, running: Map<string, { since: number; line: string }>): void {
  if (event.kind === 'step.start') running.set(event.step, { since: event.at, line: '' });
  if (event.kind === 'step.line') {
    const step = running.get(event.step);
    if (step !== undefined) step.line = event.line;
  }
  if (event.kind === 'step.done' || event.kind === 'step.fail') running.delete(event.step);
}
