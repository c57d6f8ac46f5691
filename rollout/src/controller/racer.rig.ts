import { type Asked, type Fate, openFront } from '../platform/kubernetes/front.rig.ts';
import { ControllerProcess } from './process.rig.ts';

/** A controller of its own name in the audit log, in a process that is started again when it was killed, as a Deployment does it. */
export async function startRacer(
  name: string,
  namespace: string,
  fate: (asked: Asked) => Fate = () => 'lives',
): Promise<AsyncDisposable> {
  let controller: ControllerProcess;
  const front = await openFront({
    account: `${namespace}:headgate-controller`,
    agent: `headgate controller ${name}`,
    fate,
    async kill() {
      await controller.kill();
      controller = start();
    },
  });
  const start = () =>
    new ControllerProcess({
      KUBECONFIG: front.kubeconfig,
      HEADGATE_NAMESPACE: namespace,
      HEADGATE_POD_NETWORK: '1',
      POD_NAME: name,
    });
  controller = start();
  return {
    async [Symbol.asyncDispose]() {
      await controller[Symbol.asyncDispose]();
      await front[Symbol.asyncDispose]();
    },
  };
}
