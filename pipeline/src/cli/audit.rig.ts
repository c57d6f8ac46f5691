/** The API server's own log, and who drove an app by it. */
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Lines of the audit log, in its order, those of the file before included: the server begins a new one when it has become large. */
export async function auditLines(run: string, isWanted: (line: string) => boolean): Promise<readonly string[]> {
  const logs = join(run, 'logs');
  const names = async () => (await readdir(logs)).filter((name) => /^audit.*\.log$/.test(name)).sort();
  for (let files = await names(); ; ) {
    const lines: string[] = [];
    for (const file of files) {
      for await (const line of createInterface({ input: createReadStream(join(logs, file)) }))
        if (isWanted(line)) lines.push(line);
    }
    const now = await names();
    if (now.join() === files.join()) return lines;
    files = now; // A new one was begun meanwhile, and the former has another name.
  }
}

type Event = {
  readonly verb: string;
  readonly requestURI: string;
  readonly stage: string;
  readonly stageTimestamp: string;
  readonly userAgent?: string;
  readonly impersonatedUser?: { readonly username: string };
  readonly responseStatus?: { readonly code: number };
};

/** The time from one taking of the lock by somebody else to the next. */
type Term = { readonly holder: string; readonly writers: readonly string[] };

/** Terms of an app's lock, and who wrote in each what only its holder may: the head, evidence, Deployments and the route. */
export async function termsOf(run: string, namespace: string): Promise<readonly Term[]> {
  const lines = await auditLines(run, (line) => line.includes(`/namespaces/${namespace}/`));
  const done = lines
    .map((line) => JSON.parse(line) as Event)
    .filter(isDone)
    .sort((a, b) => (a.stageTimestamp < b.stageTimestamp ? -1 : 1));
  const terms: { holder: string; writers: Set<string> }[] = [];
  for (const { requestURI, userAgent = '' } of done) {
    const term = terms.at(-1);
    if (requestURI.includes('/leases')) {
      if (term?.holder !== userAgent) terms.push({ holder: userAgent, writers: new Set() });
    } else if (term === undefined) throw new Error(`${userAgent} wrote ${requestURI} before anybody had the lock`);
    else term.writers.add(userAgent);
  }
  return terms.map(({ holder, writers }) => ({ holder, writers: [...writers] }));
}

/** Written, and by somebody who drives or asks: bootstrap and the test itself are nobody's ServiceAccount. */
function isDone({ verb, requestURI, stage, impersonatedUser, responseStatus }: Event): boolean {
  return (
    stage === 'ResponseComplete' &&
    ['create', 'update', 'patch', 'delete'].includes(verb) &&
    impersonatedUser !== undefined &&
    (responseStatus?.code ?? 500) < 300 &&
    !/-wishes|\/events/.test(requestURI)
  );
}
