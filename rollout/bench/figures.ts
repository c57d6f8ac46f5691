/** One measured figure against its bound. */
export type Figure = {
  readonly name: string;
  readonly measured: number;
  readonly bound: number;
  readonly unit: string;
  readonly atLeast?: true;
};

export function holds({ measured, bound, atLeast }: Figure): boolean {
  return atLeast ? measured >= bound : measured <= bound;
}

export function line(figure: Figure): string {
  const { name, measured, bound, unit, atLeast } = figure;
  const limit = `${atLeast ? '>=' : '<='} ${show(bound, unit)}`;
  return `${holds(figure) ? 'ok  ' : 'MISS'} ${name.padEnd(72)} ${show(measured, unit).padStart(9)}  ${limit}`;
}

function show(value: number, unit: string): string {
  return unit === '%' ? `${(100 * value).toFixed(2)} %` : `${value.toFixed(unit === 'x' ? 2 : 1)} ${unit}`;
}

/** A rate measured over `n` runs may exceed its bound `r` by chance alone: the allowance is 3.1 standard errors. */
export function allowed(r: number, n: number): number {
  return r + 3.1 * Math.sqrt((r * (1 - r)) / n);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function share<T>(values: readonly T[], test: (value: T) => boolean): number {
  return values.filter(test).length / values.length;
}
