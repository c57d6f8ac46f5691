import { auditLines } from '../../src/cli/audit.rig.ts';

/** One request as the API server's audit log has it. */
export type Audited = {
  readonly verb: string;
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly user: { readonly username: string };
  readonly sourceIPs: readonly string[];
};

/** What a ServiceAccount (`namespace:name`) asked between two moments (ms since the epoch), watches that went on from before left out. */
export async function requestsOf(account: string, from: number, to: number): Promise<readonly Audited[]> {
  return (await between(from, to)).filter(({ user }) => user.username === `system:serviceaccount:${account}`);
}

/** Which processes of a namespace's accounts wrote what only a driver may write: all but wishes, the lock and Events. */
export async function driversOf(namespace: string, from: number, to: number): Promise<readonly string[]> {
  const wrote = (await between(from, to)).filter(
    ({ verb, requestURI, user }) =>
      ['create', 'update', 'patch', 'delete'].includes(verb) &&
      user.username.startsWith(`system:serviceaccount:${namespace}:`) &&
      !/-wishes|\/leases|\/events/.test(requestURI),
  );
  return [...new Set(wrote.map(({ user, sourceIPs }) => `${user.username.split(':').at(-1)} at ${sourceIPs.join()}`))];
}

type Written = Audited & {
  readonly stageTimestamp: string;
  readonly responseStatus?: { readonly code: number };
  readonly objectRef?: { readonly resource: string; readonly name?: string };
  readonly requestObject?: {
    readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
    readonly spec?: {
      readonly template: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
    };
    readonly data?: { readonly head: string };
  };
};

/**
 * What drivers did to an app between two moments, in their order and whatever the lane: a release begun, another image or
 * revision for a service, the roles swapped. A write that changes nothing of that is none, one that does something once more is one more.
 */
export async function effectsOf(namespace: string, from: number, to: number): Promise<readonly string[]> {
  const writes = (await between(0, to)).filter(
    ({ verb, requestURI, user, responseStatus }: Written) =>
      ['create', 'update'].includes(verb) &&
      (responseStatus?.code ?? 500) < 300 &&
      requestURI.includes(`/namespaces/${namespace}/`) &&
      user.username.startsWith(`system:serviceaccount:${namespace}:`),
  );
  const known = new Map<string, string>();
  return writes.sort(inTime).flatMap((write) =>
    [...writtenBy(write)].flatMap(([what, value]) => {
      const isNew = known.get(what) !== value;
      known.set(what, value);
      return isNew && Date.parse(write.requestReceivedTimestamp) >= from ? [what.replace(/-(blue|green)-/, ' ')] : [];
    }),
  );
}

/** Facts of which each other value is an effect. */
function writtenBy({ objectRef, requestObject, requestURI }: Written): ReadonlyMap<string, string> {
  const isHead = /\/configmaps\/headgate-ratings(\?|$)/.test(requestURI);
  if (!isHead && objectRef?.resource !== 'deployments') return new Map();
  if (requestObject === undefined) throw new Error(`The audit log has not what was written: ${requestURI}`);
  const { metadata, spec, data } = requestObject;
  if (!isHead) {
    const images = spec?.template.spec.containers.map(({ image }) => image);
    return new Map([[`image of ${metadata.name}`, `${images} ${metadata.annotations?.['headgate.dev/revision']}`]]);
  }
  const { nextRelease, live } = JSON.parse(data?.head ?? '{}');
  return new Map([
    ['release begun', String(nextRelease)],
    ['roles swapped', String(live)],
  ]);
}

function inTime(a: Written, b: Written): number {
  return a.stageTimestamp < b.stageTimestamp ? -1 : 1;
}

async function between(from: number, to: number): Promise<readonly Written[]> {
  const run = process.env['HEADGATE_KUBE_RUN'] ?? '/run/headgate-kube';
  const lines = await auditLines(run, (line) => line.includes('"username":"system:serviceaccount:'));
  return lines
    .map((line) => JSON.parse(line) as Written & { readonly stage: string })
    .filter(({ stage, requestReceivedTimestamp }) => {
      const at = Date.parse(requestReceivedTimestamp);
      return stage !== 'ResponseStarted' && at >= from && at < to;
    });
}
