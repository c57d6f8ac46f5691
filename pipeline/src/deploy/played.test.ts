import { describe, expect, test } from '@jest/globals';
import { linesOf } from './played.ts';

/** A task's end, on the one host that a playbook of ours has. */
function ended(kind: 'ok' | 'failed' | 'skipped', result: object): readonly string[] {
  return linesOf(JSON.stringify({ _event: `v2_runner_on_${kind}`, task: { name: 'Set' }, hosts: { here: result } }));
}

describe('linesOf()', () => {
  test('names a task as it begins, and says nothing of one that changed nothing or was skipped', () => {
    expect(linesOf('{"_event":"v2_playbook_on_task_start","task":{"name":"Set the new pods"}}')).toEqual([
      'Set the new pods',
    ]);
    expect(ended('ok', { changed: false, resources: [{ kind: 'Pod' }] })).toEqual([]);
    expect(ended('skipped', { changed: false, skipped: true })).toEqual([]);
  });

  test('shows of what a turn of a loop changed the lines that differ, and three around them', () => {
    const object = (image: string) => ({ a: 1, b: 2, c: 3, d: 4, image, e: 5, f: 6, g: 7, h: 8 });
    const diff = { before: object('old'), after: object('new') };

    expect(ended('ok', { results: [{ changed: true, diff, _ansible_item_label: 'proxy' }] })).toEqual([
      '  changed proxy',
      '    @@ -2,7 +2,7 @@',
      '     b: 2',
      '     c: 3',
      '     d: 4',
      '    -image: old',
      '    +image: new',
      '     e: 5',
      '     f: 6',
      '     g: 7',
    ]);
  });

  test('shows a file as it is, and nothing where a module tells no difference', () => {
    expect(ended('ok', { changed: true, diff: [{ before: '', after: 'a\n' }] })).toEqual([
      '  changed',
      '    @@ -0,0 +1,1 @@',
      '    +a',
    ]);
    expect(ended('ok', { changed: true })).toEqual(['  changed']);
  });

  test('of what failed tells the words and the last lines of its output, never the object that it had in hand', () => {
    const object = { spec: { template: { spec: { containers: [{ env: [{ value: 'horse' }] }] } } } };

    const refused = ended('failed', { failed: true, msg: 'Failed to patch:\n409', result: object, invocation: object });

    expect(refused).toEqual(['  failed: Failed to patch:', '    409']);
    const results = [
      { changed: false, _ansible_item_label: 'proxy' },
      { failed: true, msg: 'non-zero return code', stdout: 'shown where', stderr: 'one\ntwo\n', item: object },
    ];
    expect(ended('failed', { msg: 'One or more items failed', results })).toEqual([
      '  failed: non-zero return code',
      '    one',
      '    two',
    ]);
    const long = Array.from({ length: 30 }, (_, at) => `line ${at}`).join('\n');
    expect(ended('failed', { failed: true, msg: 'died', module_stderr: long })).toHaveLength(21);
    expect(ended('failed', { failed: true })).toEqual(['  failed: nothing was said']);
  });

  test('ends with the counts that people know', () => {
    const stats = { here: { ok: 4, changed: 1, unreachable: 0, failures: 2, rescued: 1, skipped: 3, ignored: 0 } };

    expect(linesOf(JSON.stringify({ _event: 'v2_playbook_on_stats', stats }))).toEqual([
      'PLAY RECAP: ok=4 changed=1 unreachable=0 failed=2 rescued=1',
    ]);
  });

  test.each(['[WARNING]: no inventory', '', '{"half', 'null', '7'])('passes on %j, which is no event', (line) => {
    expect(linesOf(line)).toEqual([line]);
  });
});
