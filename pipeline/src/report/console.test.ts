import { describe, expect, test } from '@jest/globals';
import type { Happening, RunEvent } from '../event.ts';
import { liveReporter, plainReporter } from './console.ts';
import { jsonReporter } from './json.ts';

const start: Happening = { kind: 'step.start', step: 'lint', attempt: 1, key: 'k', changed: undefined };
const done: Happening = { kind: 'step.done', step: 'lint', ms: 5, acted: true, attempts: 1, values: { ok: 1 } };
const line = (text: string): Happening => ({ kind: 'step.line', step: 'lint', line: text });

function event(happening: Happening): RunEvent {
  return { at: 1_000, ...happening } as RunEvent;
}

/** A terminal that understands what the live picture uses: up, and clear below. */
function aScreen() {
  const upAndClear = new RegExp(`^${'\x1b'}\\[(\\d+)A\r${'\x1b'}\\[0J`);
  let rows: string[] = [];
  return {
    write(text: string) {
      const up = upAndClear.exec(text);
      rows = rows.slice(0, rows.length - Number(up?.[1] ?? 0));
      rows.push(...text.replace(upAndClear, '').split('\n').slice(0, -1));
    },
    get rows(): readonly string[] {
      return rows;
    },
  };
}

test('plainReporter() writes whole lines for what people want to keep', () => {
  let out = '';
  const reporter = plainReporter((text) => {
    out += text;
  });

  for (const happening of [start, line('checking'), done]) reporter.on(event(happening));
  reporter.close();

  expect(out).toBe('✓ lint                 5 ms\n');
});

test('jsonReporter() writes every event as a line that reads back as it was', () => {
  const out: string[] = [];
  const reporter = jsonReporter((text) => out.push(text));
  const events = [start, line('two\nlines'), done].map(event);

  for (const each of events) reporter.on(each);

  expect(out.every((text) => text.endsWith('\n') && text.indexOf('\n') === text.length - 1)).toBe(true);
  expect(out.map((text) => JSON.parse(text))).toEqual(events);
});

describe('liveReporter()', () => {
  function aLive(columns = 80) {
    const screen = aScreen();
    return { screen, reporter: liveReporter({ write: screen.write, columns: () => columns, now: () => 4_000 }) };
  }

  test('shows what runs below what is done, and takes it away at the end', () => {
    const { screen, reporter } = aLive();
    const warning = event({ kind: 'warning', message: 'slow disk' });

    reporter.on(event(start));
    reporter.on(event(line('checking a.ts')));
    reporter.on(warning);
    expect(screen.rows).toEqual(['! slow disk', '  lint                 3 s  checking a.ts']);

    reporter.on(warning);
    expect(screen.rows).toEqual(['! slow disk', '! slow disk', '  lint                 3 s  checking a.ts']);

    reporter.on(event(done));
    expect(screen.rows).toEqual(['! slow disk', '! slow disk', '✓ lint                 5 ms']);
    reporter.close();
  });

  test('leaves nothing of the picture when the run is interrupted', () => {
    const { screen, reporter } = aLive();
    reporter.on(event(start));
    reporter.on(event({ kind: 'run.interrupted', reason: 'SIGINT' }));

    reporter.close();

    expect(screen.rows).toEqual(['! interrupted: SIGINT; run it again to go on']);
  });

  test('keeps a long line, and one that moves the cursor, within one row', () => {
    const { screen, reporter } = aLive(40);
    reporter.on(event(start));
    reporter.on(event(line(`\x1b[2J\r${'x'.repeat(200)}`)));

    reporter.on(event({ kind: 'warning', message: 'slow disk' }));

    expect(screen.rows[1]).toBe(`  lint                 3 s   [2J ${'x'.repeat(6)}`);
    reporter.close();
  });
});
