import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Gate } from '@headgate/rollout';
import { describe, expect, test } from '@jest/globals';
import type { RunEvent } from '../event.ts';
import { filesReporter } from './files.ts';
import { hostileTexts } from './hostile.rig.ts';
import { jenkinsReporter } from './jenkins.ts';
import { junitOf } from './junit.ts';
import { type RunRecord, recordReporter } from './record.ts';
import { aRun, play } from './run.rig.ts';
import { summaryOf } from './summary.ts';

function recordOf(events: readonly RunEvent[]): RunRecord {
  let record: RunRecord | undefined;
  play(
    recordReporter((whole) => {
      record = whole;
    }),
    events,
  );
  if (record === undefined) throw new Error('no record');
  return record;
}

describe('recordReporter()', () => {
  test('says of every step how it ended', () => {
    const { outcome, steps } = recordOf(aRun());

    expect(outcome).toBe('failed');
    expect(steps.map(({ id, end }) => [id, end.kind])).toEqual([
      ['check', 'done'],
      ['image:proxy', 'cached'],
      ['imagetest:proxy', 'failed'],
      ['publish', 'unstarted'],
    ]);
  });

  test('a run without an end was interrupted, and its step is still running', () => {
    const { outcome, steps } = recordOf(aRun().slice(0, 2));

    expect(outcome).toBe('interrupted');
    expect(steps[0]?.end).toEqual({ kind: 'running' });
  });

  test('a run that never began has no record', () => {
    const records: RunRecord[] = [];

    play(
      recordReporter((record) => records.push(record)),
      [],
    );

    expect(records).toEqual([]);
  });
});

describe('junitOf()', () => {
  test('has a case for every step, with what is flaky, cached, failed and not begun', () => {
    const xml = junitOf(recordOf(aRun()));

    expect(xml).toContain('tests="4" failures="1" errors="0" skipped="1"');
    expect(xml).toMatch(/name="check" time="1.234"><properties><property name="flaky" value="true"\/>/);
    expect(xml).toContain('<flakyFailure message="failed: words" type="COMMAND"/>');
    expect(xml).toContain('<property name="cached" value="folder"/><property name="run" value="ba9876543210"/>');
    expect(xml).toContain('<property name="url" value="https://ci.example/runs/7"/>');
    expect(xml).toMatch(/<failure message="failed: words" type="COMMAND">try words\nwords\nthe last line<\/failure>/);
  });

  test('has a case for every gate of the last attempt, and says which was in the way', () => {
    const start = { kind: 'step.start', step: 'publish', attempt: 1, key: undefined, changed: undefined } as const;
    const gate = (name: string, outcome: Gate['outcome']) =>
      ({ kind: 'gate', step: 'publish', gate: { name, outcome, text: `${name} & more` } }) as const;
    const told = [start, gate('latency', 'failed'), start, gate('health', 'passed'), gate('errors', 'failed')];
    const events = [...told, gate('lag', 'undecided')].map((event) => ({ at: 1, ...event }));

    const xml = junitOf(recordOf([...aRun().slice(0, -1), ...events]));

    const name = (gate: string) => `<testcase classname="deliver-ratings.publish" name="${gate}" time="0.000">`;
    expect(xml).toContain('tests="7" failures="2" errors="1" skipped="1"');
    expect(xml).toContain(`${name('health')}<system-out>health &amp; more</system-out></testcase>`);
    expect(xml).toContain(`${name('errors')}<failure message="errors &amp; more" type="GATE"/></testcase>`);
    expect(xml).toContain(`${name('lag')}<skipped message="cannot tell: lag &amp; more"/></testcase>`);
    expect(xml).not.toContain(name('latency'));
    expect(tagsOf(xml)).toContain('testcase');
  });

  test.each(hostileTexts)('stays one well-formed document whatever a step says: %j', (text) => {
    const xml = junitOf(recordOf(aRun(text)));

    expect(tagsOf(xml)).toEqual(tagsOf(junitOf(recordOf(aRun('harmless')))));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are not XML
    expect(xml).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\uffff]/);
  });
});

/** Names of all tags, in order; throws where one is not closed in turn. */
function tagsOf(xml: string): readonly string[] {
  const open: string[] = [];
  const names: string[] = [];
  for (const [, end, name = '', alone] of xml.matchAll(/<(\/?)([\w-]+)(?:\s+[\w:]+="[^"<]*")*\s*(\/?)>/g)) {
    if (end === '/') expect(open.pop()).toBe(name);
    else names.push(name);
    if (end !== '/' && alone !== '/') open.push(name);
  }
  expect(open).toEqual([]);
  expect(
    xml.replaceAll(/<(\/?)([\w-]+)(?:\s+[\w:]+="[^"<]*")*\s*(\/?)>/g, '').replace(/^<\?xml[^>]*>/, ''),
  ).not.toMatch(/[<>]/);
  return names;
}

describe('summaryOf()', () => {
  test('is a table of the steps, the failure with its cure and last lines, and all remarks', () => {
    const summary = summaryOf(recordOf(aRun()));

    expect(summary).toContain('## deliver-ratings: failed in 4.0 s');
    expect(summary).toContain('| check | ✓ flaky: attempt 2 passed | 1.2 s |');
    expect(summary).toContain(
      '| image:proxy | = cached, from run ba9876543210 of 2023-11-14T22:13:20.000Z, https&#58;//ci.example/runs/7 |  |',
    );
    expect(summary).toContain('### imagetest:proxy failed\n\ntry words\n\n```text\nwords\nthe last line\n```');
    expect(summary).toContain('- warning, check src/main.ts:3: words');
  });

  test.each(hostileTexts)('shows as text whatever a step says: %j', (text) => {
    const shapeOf = (words: string) => {
      const lines = summaryOf(recordOf(aRun(words))).split('\n');
      const fence = lines.findIndex((line) => line.startsWith('```'));
      const close = lines.indexOf(lines[fence]?.replace('text', '') ?? '', fence + 1);
      return [...lines.slice(0, fence), ...lines.slice(close)].join('\n');
    };

    const shape = shapeOf(text);

    expect(shape.match(/^#+ .*$/gm)).toEqual(shapeOf('harmless').match(/^#+ .*$/gm));
    expect(shape.match(/^\|/gm)).toEqual(shapeOf('harmless').match(/^\|/gm));
    expect(shape).not.toMatch(/[<>[\]]|https:\/\/evil|@everyone/);
  });
});

describe('jenkinsReporter()', () => {
  test('puts the step before each of its lines, without anything that steers a console', () => {
    let output = '';

    play(
      jenkinsReporter((text) => {
        output += text;
      }),
      aRun('red\u001b[31m\r\u001b[8mha:////note'),
    );

    const lines = output.trimEnd().split('\n');
    expect(lines.filter((line) => line.startsWith('[imagetest:proxy] ')).length).toBeGreaterThan(3);
    expect(lines.filter((line) => !line.startsWith('['))).toHaveLength(3); // The run's first and last, and its warning.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these steer a console
    expect(output).not.toMatch(/[\u0000-\u0008\u000b-\u001f]/);
  });
});

describe('filesReporter()', () => {
  test('leaves run.json with its version, and JUnit', () => {
    const out = mkdtempSync(join(tmpdir(), 'headgate-out-'));
    try {
      play(filesReporter(out), aRun());

      const run = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
      expect(run).toMatchObject({ schemaVersion: 1, run: '0123456789ab', outcome: 'failed', actor: 'kim@desk' });
      expect(run.steps).toHaveLength(4);
      expect(readFileSync(join(out, 'junit/pipeline.xml'), 'utf8')).toContain('<testcase');
    } finally {
      rmSync(out, { recursive: true, force: true });
    }
  });
});
