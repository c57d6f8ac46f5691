/** Recorded requests: what a service must be able to answer, whichever version of its neighbours asks. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HeadgateError } from '@headgate/rollout';

/** One request and the status it must get. It may be sent in any order and more than once. */
export type RecordedRequest = {
  /** As a worker sees it, e.g. `get.ratings`: the method, then the path. */
  readonly subject: string;
  /** Without the question mark; empty for none. */
  readonly query: string;
  /** `undefined` for none. */
  readonly body: unknown;
  readonly status: number;
};

/** Name of the file beside a worker's package.json. */
export const requestsFile = 'requests.json';

/** Reads `<source>/requests.json`; a worker without the file has none. @throws {HeadgateError} `SPEC_INVALID` */
export async function readRequests(source: string): Promise<readonly RecordedRequest[]> {
  const file = join(source, requestsFile);
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return '[]';
    throw cause;
  });
  return parseRequests(file, text);
}

function parseRequests(file: string, text: string): readonly RecordedRequest[] {
  const written = parseJson(file, text);
  if (!Array.isArray(written)) throw invalid(file, 'it must be a list', typeof written);
  return written.map((one: unknown, i) => {
    const { subject, query = '', body, status } = (one ?? {}) as Readonly<Record<string, unknown>>; // Each field is checked below.
    if (typeof subject !== 'string' || !/^[a-z]+(\.[^.\s]+)+$/.test(subject)) {
      throw invalid(file, `[${i}].subject must be like "get.ratings"`, subject);
    }
    if (typeof query !== 'string') throw invalid(file, `[${i}].query must be a text like "limit=1"`, query);
    if (typeof status !== 'number') throw invalid(file, `[${i}].status must be a number`, status);
    return { subject, query, body, status };
  });
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw invalid(file, 'it must be JSON', (cause as Error).message);
  }
}

function invalid(file: string, rule: string, value: unknown): HeadgateError {
  return new HeadgateError('SPEC_INVALID', `Cannot use ${file} as ${rule}: current value is ${JSON.stringify(value)}`, {
    hint: 'write a list of { "subject", "query", "body", "status" }, at least one for each subject that the service pulls',
  });
}
