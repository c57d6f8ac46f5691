import { type Gate, unreachable } from '@headgate/rollout';
import { isFlaky, type RunRecord, type StepRecord } from './record.ts';

/** A run as JUnit XML, which every CI host reads: one case per step, and one per gate of a step. What XML cannot hold is left out. */
export function junitOf({ pipeline, steps, ms, startedAt }: RunRecord): string {
  const gates = steps.flatMap((step) => step.gates);
  const ended = (...outcomes: readonly Gate['outcome'][]) => gates.filter(({ outcome }) => outcomes.includes(outcome));
  const failures = steps.filter(({ end }) => end.kind === 'failed').length + ended('failed').length;
  const left = steps.filter(({ end }) => end.kind === 'skipped' || end.kind === 'unstarted').length;
  const facts = attributes({
    name: pipeline,
    tests: steps.length + gates.length,
    failures,
    errors: steps.filter(({ end }) => end.kind === 'running').length,
    skipped: left + ended('undecided').length,
    time: (ms / 1_000).toFixed(3),
    timestamp: new Date(startedAt).toISOString().slice(0, 19),
  });
  const cases = steps.map((step) => caseOf(pipeline, step) + gatesOf(pipeline, step)).join('');
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n<testsuite${facts}>\n${cases}</testsuite>\n</testsuites>\n`;
}

function caseOf(pipeline: string, step: StepRecord): string {
  const { end, id, retries } = step;
  const seconds = end.kind === 'done' || end.kind === 'failed' ? end.ms / 1_000 : 0;
  const facts = attributes({ classname: pipeline, name: id, time: seconds.toFixed(3) });
  // Surefire's element for an attempt that failed before one that passed: Jenkins and others count it as flaky.
  const earlier = retries.map(({ message, class: kind }) =>
    isFlaky(step) ? `<flakyFailure${attributes({ message, type: kind })}/>` : '',
  );
  return `<testcase${facts}>${propertiesOf(step)}${earlier.join('')}${bodyOf(step)}</testcase>\n`;
}

/** Beside their step, so that whoever reads the report sees which of them was in the way. */
function gatesOf(pipeline: string, { id, gates }: StepRecord): string {
  return gates
    .map(({ name, outcome, text }) => {
      const facts = attributes({ classname: `${pipeline}.${id}`, name, time: '0.000' });
      return `<testcase${facts}>${verdictOf(outcome, text)}</testcase>\n`;
    })
    .join('');
}

function verdictOf(outcome: Gate['outcome'], text: string): string {
  switch (outcome) {
    case 'passed':
      return `<system-out>${escaped(text)}</system-out>`;
    case 'failed':
      return `<failure${attributes({ message: text, type: 'GATE' })}/>`;
    case 'undecided':
      return `<skipped${attributes({ message: `cannot tell: ${text}` })}/>`;
    default:
      return unreachable(outcome);
  }
}

function propertiesOf(step: StepRecord): string {
  const { end } = step;
  const properties = [
    ...(isFlaky(step) ? [{ name: 'flaky', value: 'true' }] : []),
    // A cached green is never taken for an executed one.
    ...(end.kind === 'cached'
      ? [
          { name: 'cached', value: end.where },
          { name: 'run', value: end.original.run },
          { name: 'at', value: new Date(end.original.at).toISOString() },
          ...(end.original.url === undefined ? [] : [{ name: 'url', value: end.original.url }]),
        ]
      : []),
  ];
  if (properties.length === 0) return '';
  return `<properties>${properties.map((property) => `<property${attributes(property)}/>`).join('')}</properties>`;
}

function bodyOf({ end }: StepRecord): string {
  switch (end.kind) {
    case 'failed': {
      const { failure, tail } = end;
      const text = [failure.hint ?? '', ...tail].filter((line) => line !== '').join('\n');
      return `<failure${attributes({ message: failure.message, type: failure.class })}>${escaped(text)}</failure>`;
    }
    case 'skipped':
      return `<skipped${attributes({ message: end.why })}/>`;
    case 'unstarted':
      return `<skipped${attributes({ message: 'the run ended before it began' })}/>`;
    case 'running':
      return `<error${attributes({ message: 'the run was interrupted', type: 'INTERRUPTED' })}/>`;
    case 'cached':
    case 'done':
      return '';
    default:
      return unreachable(end);
  }
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(String(value)).replaceAll('\n', '&#10;')}"`)
    .join('');
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(text: string): string {
  return [...text]
    .filter((character) => isXml(character.codePointAt(0) ?? 0))
    .map((character) => entities[character] ?? character)
    .join('');
}

/** The characters of XML 1.0. */
function isXml(code: number): boolean {
  if (code < 0x20) return code === 0x9 || code === 0xa;
  return (code < 0xd800 || code > 0xdfff) && code !== 0xfffe && code !== 0xffff;
}
