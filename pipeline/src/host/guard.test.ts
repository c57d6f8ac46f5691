import { describe, expect, test } from '@jest/globals';
import { hostileTexts } from '../report/hostile.rig.ts';
import { openGithubGuard, openStreams } from './guard.ts';
import { obeyedBy } from './runner.rig.ts';

function aGuard() {
  let output = '';
  const write = (text: string) => {
    output += text;
  };
  return { guard: openGithubGuard(write), write, obeyed: () => obeyedBy(output), output: () => output };
}

describe('openGithubGuard()', () => {
  test('the runner of the rig obeys hostile texts when nobody guards them', () => {
    const harmful = hostileTexts.filter((text) => obeyedBy(`${text}\n`).length > 0);

    expect(harmful.length).toBeGreaterThanOrEqual(8);
  });

  test.each(hostileTexts)('nothing that is written is obeyed: %j', (text) => {
    const { guard, obeyed } = aGuard();

    guard.write(`${text}\n`);
    guard.write(text);
    guard.obeyed(() => {});
    guard.write(`${text}\n`);

    expect(obeyed().filter(({ name }) => name !== 'stop-commands')).toEqual([]);
  });

  test('obeyed() is obeyed also after a line without an end, and nothing after it is', () => {
    const { guard, write, obeyed } = aGuard();

    guard.write('no end of line');
    guard.obeyed(() => write('::error::mine\n'));
    guard.write('::error::not mine\n');

    expect(obeyed().filter(({ name }) => name === 'error')).toEqual([{ name: 'error', properties: {}, data: 'mine' }]);
  });

  test('a token that has been seen opens nothing any more', () => {
    const { guard, obeyed, output } = aGuard();
    guard.obeyed(() => {});
    const seen = [...output().matchAll(/stop-commands::(\S+)/g)].map(([, token]) => token);
    guard.obeyed(() => {});

    guard.write(seen.map((token) => `::${token}::\n::error::owned\n`).join(''));

    expect(obeyed().filter(({ name }) => name === 'error')).toEqual([]);
  });

  test('obeyed() guards again when its work throws', () => {
    const { guard, obeyed } = aGuard();

    expect(() =>
      guard.obeyed(() => {
        throw new Error('no');
      }),
    ).toThrow('no');
    guard.write('::error::owned\n');

    expect(obeyed().filter(({ name }) => name === 'error')).toEqual([]);
  });

  test('close() lets the host listen to what comes after the process', () => {
    const { guard, write, obeyed } = aGuard();

    guard.close();
    write('::notice::of another program\n');

    expect(obeyed().at(-1)).toMatchObject({ name: 'notice' });
  });
});

describe('openStreams() for a program on GitHub', () => {
  test.each(['json', 'lines'] as const)('%s: nothing is said to the host among what the program reads', (program) => {
    let [out, err] = ['', ''];
    const {
      guard,
      err: beside,
      close,
    } = openStreams(
      { isGithub: true, program },
      (text) => {
        out += text;
      },
      (text) => {
        err += text;
      },
    );

    guard.write('{"a":"##[error]owned"}\n');
    guard.obeyed(() => guard.write('::error::mine\n'));
    beside('::error::not mine\n');
    close();

    expect(out).toBe(program === 'json' ? '{"a":"#\\u0023[error]owned"}\n' : '{"a":"##[error]owned"}\n');
    expect(JSON.parse(out)).toEqual({ a: '##[error]owned' });
    expect(obeyedBy(err).filter(({ name }) => name === 'error')).toEqual([]);
  });
});
