import { describe, expect, test } from '@jest/globals';
import type { RunEvent } from '../event.ts';
import { openGithubGuard } from '../host/guard.ts';
import { type Obeyed, obeyedBy } from '../host/runner.rig.ts';
import { githubReporter, type RunnerCommands } from './github.ts';
import { hostileTexts } from './hostile.rig.ts';
import { aRun, play } from './run.rig.ts';

/** Escapes as @actions/core does; that the real one is used is seen where a whole process runs. */
function commandsTo(write: (text: string) => void): RunnerCommands {
  const data = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
  const note =
    (level: string) =>
    (message: string, { title = '', file, startLine }: { title?: string; file?: string; startLine?: number } = {}) => {
      const at =
        file === undefined ? '' : `,file=${property(file)}${startLine === undefined ? '' : `,line=${startLine}`}`;
      write(`::${level} title=${property(title)}${at}::${data(message)}\n`);
    };
  return {
    startGroup: (name) => write(`::group::${data(name)}\n`),
    endGroup: () => write('::endgroup::\n'),
    error: note('error'),
    warning: note('warning'),
    notice: note('notice'),
  };
}

function shown(events: readonly RunEvent[]): { obeyed: readonly Obeyed[]; output: string } {
  let output = '';
  const write = (text: string) => {
    output += text;
  };
  const guard = openGithubGuard(write);
  const place = (file: string) => `app/${file}`;
  play(githubReporter({ write: guard.write, guard, commands: commandsTo(write), place }), events);
  return { obeyed: obeyedBy(output), output };
}

const of = (obeyed: readonly Obeyed[], ...names: string[]) => obeyed.filter(({ name }) => names.includes(name));

describe('githubReporter()', () => {
  test('folds the lines of a step that passed under its last line', () => {
    const { obeyed, output } = shown(aRun('a line of the log'));

    expect(of(obeyed, 'group', 'endgroup').map(({ name }) => name)).toEqual(['group', 'endgroup']);
    expect(of(obeyed, 'group')[0]?.data).toContain('flaky: attempt 2 passed');
    expect(output.slice(output.indexOf('::group::'), output.indexOf('::endgroup::'))).toContain(
      '\na line of the log\n',
    );
  });

  test('marks remarks at their place, retries as flaky and failures with their cure', () => {
    const { obeyed } = shown(aRun('late'));

    expect(of(obeyed, 'warning')).toEqual([
      { name: 'warning', properties: { title: 'check', file: 'app/src/main.ts', line: '3' }, data: 'late' },
      { name: 'warning', properties: { title: 'check' }, data: 'flaky: only attempt 2 passed' },
      { name: 'warning', properties: { title: 'headgate' }, data: 'late' },
    ]);
    expect(of(obeyed, 'error')).toEqual([
      {
        name: 'error',
        properties: { title: 'imagetest:proxy failed' },
        data: 'failed: late\ntry late\nlate\nthe last line',
      },
    ]);
  });

  test('shows nine remarks of a level, and the tenth says how many more there are', () => {
    const [start, ...rest] = aRun();
    const note = (n: number): RunEvent => ({
      at: 1,
      kind: 'annotation',
      step: 'check',
      note: { level: 'error', message: `error ${n}` },
    });
    const { obeyed } = shown([start!, ...Array.from({ length: 30 }, (_, n) => note(n)), ...rest]);

    const errors = of(obeyed, 'error');
    expect(errors).toHaveLength(10);
    expect(errors.at(-1)?.data).toBe('22 more in the summary');
  });

  test.each(hostileTexts)('nothing of a step is obeyed beyond the remarks that it may make: %j', (text) => {
    const names = (words: string) => shown(aRun(words)).obeyed.map(({ name, properties }) => [name, properties]);

    expect(names(text)).toEqual(names('harmless'));
  });

  test('takes away the matchers that would make remarks of lines', () => {
    expect(of(shown(aRun()).obeyed, 'remove-matcher').map(({ properties }) => properties['owner'])).toContain('tsc');
  });
});
