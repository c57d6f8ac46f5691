import { setTimeout as sleep } from 'node:timers/promises';
import { forwardService, HeadgateError, openKubeClient, withDeadline } from '@headgate/rollout';
import { appOptions, openApp } from './open.ts';
import { port, portOption, type Subcommand, stayAt } from './shell.ts';

/** Ports of the router, as `kubernetes.traffic.replicas` names them, and where to look first. */
const ends = { gateway: { port: 'listener', path: '/' }, metrics: { port: 'metrics', path: '/metrics' } } as const;

export const command: Subcommand = {
  usage: 'gateway|metrics [--port <n>]',
  help: 'On Kubernetes: a port of this machine that leads to the router, through the API server: where users come in, or its counters. Prints the URL once it answers, and stays until Ctrl-C. Every connection leads to a replica that is ready then, so that one that goes takes only its own connections along. Needs the right to create pods/portforward.',
  options: { ...appOptions, port: portOption },
  positionals: { min: 1, max: 1 },
  async run(call, shell) {
    const what = call.positionals[0] ?? '';
    if (!isEnd(what)) {
      const known = Object.keys(ends).join(', ');
      throw usage(`forward "${what}" as the word must be one of ${known}`, 'run `headgate forward --help`');
    }
    const localPort = port(call, 'port') ?? 0;
    const { spec } = await openApp(call, shell);
    if (spec.kubernetes === undefined) {
      throw usage(
        `forward to the ${what} of ${spec.app} as its headgate.yaml names no cluster`,
        'run `headgate cluster info`: the local platform has its addresses here',
      );
    }
    const { namespace, service, ...names } = spec.kubernetes.traffic.replicas;
    const name = names[ends[what].port];
    if (name === undefined) {
      throw usage(
        `forward to the ${what} of ${spec.app} as its headgate.yaml names no port of them`,
        'write kubernetes.traffic.replicas.metrics',
      );
    }
    using client = openKubeClient({ namespace });
    await using forwarded = await forwardService(client, { service, name, localPort });
    const url = `http://127.0.0.1:${forwarded.port}${ends[what].path}`;
    await untilAnswered(url, `${namespace}/${service}`, shell.signal);
    return await stayAt(url, call, shell);
  },
};

const readyMaxMs = 30_000;
const tryMaxMs = 5_000;
const pauseMs = 250;

/** By any answer: what the router says of this path is the router's business. @throws {HeadgateError} `TRAFFIC_UNREACHABLE` */
async function untilAnswered(url: string, service: string, signal: AbortSignal): Promise<void> {
  for (const end = performance.now() + readyMaxMs; ; await sleep(pauseMs, undefined, { signal })) {
    try {
      const answer = await fetch(url, { redirect: 'manual', signal: withDeadline(signal, tryMaxMs) });
      await answer.body?.cancel();
      return;
    } catch (cause) {
      signal.throwIfAborted();
      if (performance.now() < end) continue;
      const [namespace] = service.split('/');
      throw new HeadgateError('TRAFFIC_UNREACHABLE', `Cannot reach Service ${service} as no replica of it answers`, {
        hint: `run \`kubectl get endpointslices -n ${namespace}\` and \`kubectl auth can-i create pods/portforward -n ${namespace}\``,
        cause,
      });
    }
  }
}

function isEnd(word: string): word is keyof typeof ends {
  return Object.hasOwn(ends, word);
}

function usage(what: string, hint: string): HeadgateError {
  return new HeadgateError('USAGE', `Cannot ${what}`, { hint });
}
