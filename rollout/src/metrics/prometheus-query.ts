import { withDeadline } from '../deadline.ts';
import { HeadgateError } from '../errors.ts';
import type { Sample } from './exposition.ts';

const queryMaxMs = 1_500;

type Answer = {
  readonly error?: string;
  readonly data?: { readonly resultType: string; readonly result: readonly unknown[] };
};
type Series = {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
};

/**
 * What was scraped last of each series of `selector`, and when, in ms. The range ends now, so a series that was not scraped in it is not
 * there: no old value stands in for it. `atSec`: another end, so that two questions see the same scrapes.
 *
 * @throws {HeadgateError} `METRICS_UNREACHABLE`
 */
export async function seriesIn(
  url: string,
  { selector, ageMaxS, atSec }: { readonly selector: string; readonly ageMaxS: number; readonly atSec?: number },
  signal: AbortSignal,
): Promise<readonly { readonly sample: Sample; readonly scrapedMs: number }[]> {
  const { result } = await query(url, `${selector}[${ageMaxS}s]`, atSec, signal);
  return (result as readonly Series[]).map(({ metric, values }) => {
    const { __name__: name = '', ...labels } = metric;
    const [scrapedSec = 0, value] = values.at(-1) ?? [];
    return { sample: { name, labels, value: Number(value) }, scrapedMs: scrapedSec * 1_000 };
  });
}

/** The one number that an expression gives now; `undefined` for none, and for one that is not finite. @throws {HeadgateError} `METRICS_UNREACHABLE` */
export async function numberFrom(url: string, expression: string, signal: AbortSignal): Promise<number | undefined> {
  const { resultType, result } = await query(url, expression, undefined, signal);
  if (resultType === 'scalar') return finite(result[1]);
  if (resultType !== 'vector' || result.length > 1)
    throw unreadable(url, `${result.length} series of kind ${resultType}, not one number, for ${expression}`);
  const [series] = result as readonly { readonly value: readonly [number, string] }[];
  return series === undefined ? undefined : finite(series.value[1]);
}

function finite(text: unknown): number | undefined {
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

async function query(
  url: string,
  text: string,
  atSec: number | undefined,
  signal: AbortSignal,
): Promise<NonNullable<Answer['data']>> {
  const asked = new URLSearchParams({ query: text, ...(atSec === undefined ? {} : { time: String(atSec) }) });
  try {
    const answer = await fetch(`${url}/api/v1/query?${asked}`, {
      signal: withDeadline(signal, queryMaxMs),
    });
    const body = (await answer.json()) as Answer;
    if (body.data !== undefined) return body.data;
    throw new Error(`${answer.status} ${body.error ?? ''}`);
  } catch (cause) {
    signal.throwIfAborted();
    throw unreadable(url, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

export function unreadable(url: string, found: string, cause?: unknown): HeadgateError {
  return new HeadgateError(
    'METRICS_UNREACHABLE',
    `Cannot count requests as Prometheus at "${url}" must answer with fresh samples: current value is "${found}"`,
    { hint: 'open its page "Targets" to see what it scrapes, and when', cause },
  );
}
