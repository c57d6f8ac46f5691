import { formatEvent } from './lines.ts';
import type { Reporter, Write } from './report.ts';

/** Lines with the step in brackets before each: steps run at once, and Jenkins shows one console. */
export function jenkinsReporter(write: Write): Reporter {
  return {
    on: (event) => {
      const prefix = 'step' in event ? `[${event.step}] ` : '';
      for (const line of formatEvent(event)) write(`${prefix}${line}\n`);
    },
    close: () => {},
  };
}
