import { bootstrapCluster, HeadgateError, openKubeClient } from '@headgate/rollout';
import { appOptions, openApp } from './open.ts';
import { type Subcommand, text } from './shell.ts';

export const command: Subcommand = {
  usage: '--gateway <namespace/name> [--host <name>] [--path <prefix>]',
  help: 'On Kubernetes, once per app and namespace: makes both lanes, the route to them, streams and consumers. Safe to repeat; what is there stays as it is.',
  options: {
    ...appOptions,
    gateway: { type: 'string', help: 'the Gateway that users come through' },
    host: { type: 'string', help: 'host name of the route (default any)' },
    path: { type: 'string', help: 'prefix of the paths that go to the lanes (default /)' },
  },
  positionals: { min: 0, max: 0 },
  async run(call, shell) {
    const { spec } = await openApp(call, shell);
    if (spec.kubernetes === undefined) {
      throw new HeadgateError('USAGE', `Cannot bootstrap ${spec.app} as its headgate.yaml names no cluster`, {
        hint: 'the local platform makes what it needs by itself; for a cluster add "kubernetes"',
      });
    }
    const [, namespace, name] = /^([^/]+)\/([^/]+)$/.exec(text(call, 'gateway') ?? '') ?? [];
    if (namespace === undefined || name === undefined) {
      throw new HeadgateError(
        'USAGE',
        `Cannot make a route as --gateway must be <namespace>/<name>: current value is "${text(call, 'gateway') ?? ''}"`,
        { hint: 'run `kubectl get gateways -A`' },
      );
    }
    using client = openKubeClient({ namespace: spec.kubernetes.namespace });
    const host = text(call, 'host');
    const entrance = {
      gateway: { namespace, name },
      hosts: host === undefined ? [] : [host],
      paths: [text(call, 'path') ?? '/'],
    };
    const made = await bootstrapCluster(spec, client, entrance, shell.signal);
    shell.out(made.length === 0 ? 'all is there\n' : `${made.join('\n')}\n`);
    return 0;
  },
};
