/**
 * Prometheus' text format, as far as counters need it: names, labels, values.
 * The one parser package for it was last touched in 2020 in substance, groups samples into families and drops what it does not know.
 */

export type Sample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

/** `undefined` in a place: a line that is no sample. Comments and empty lines have no place. */
export function samplesOf(text: string): readonly (Sample | undefined)[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(sampleOf);
}

const shape = /^([A-Za-z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?\s+(\S+)(?:\s+-?\d+)?$/;
const label = /\s*([A-Za-z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)/y;

function sampleOf(line: string): Sample | undefined {
  const [, name, written = '', number] = shape.exec(line) ?? [];
  const labels = labelsOf(written.trim());
  const value = number === undefined ? Number.NaN : numberIn(number);
  return name === undefined || labels === undefined || Number.isNaN(value) ? undefined : { name, labels, value };
}

function labelsOf(written: string): Readonly<Record<string, string>> | undefined {
  const found: Record<string, string> = {};
  label.lastIndex = 0;
  while (label.lastIndex < written.length) {
    const [, name, value] = label.exec(written) ?? [];
    if (name === undefined || value === undefined) return undefined;
    found[name] = value.replace(/\\(["\\n])/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
  }
  return found;
}

/** A sample of no number (`NaN`) counts nothing. */
function numberIn(number: string): number {
  if (/^[+-]?Inf$/.test(number)) return number.startsWith('-') ? -Infinity : Infinity;
  return Number(number);
}
