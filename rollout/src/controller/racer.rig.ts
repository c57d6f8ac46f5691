import { type Asked, type Fate, openFront } from '../platform/kubernetes/front.rig.ts';
import { ControllerProcess } from './process.rig.ts';

export interface Racer extends AsyncDisposable {
  /** Tells the process of now to go. */
  tell(): void;
  /** Starts the next process when the one that was told to go has ended by itself. */
  restart(): Promise<void>;
}

/**
 * A controller of its own name in the audit log, in a process that is started again when it was killed, as a Deployment does it; where
 * that is to happen often, the next process is loaded beforehand.
 */
export async function startRacer(name: string, namespace: string, fate?: (asked: Asked) => Fate): Promise<Racer> {
  let isOver = false;
  let dying: Promise<void> | undefined;
  const front = await openFront({
    account: `${namespace}:headgate-controller`,
    agent: `headgate controller ${name}`,
    // What the dead one asked besides, at the same moment, is not heard.
    fate: (asked) => (dying === undefined ? (fate?.(asked) ?? 'lives') : 'before'),
    kill() {
      dying ??= (async () => {
        await controller.kill();
        if (!isOver) next();
        dying = undefined;
      })();
      return dying; // Two processes of one name would take the lock from each other.
    },
  });
  const load = () =>
    new ControllerProcess(
      {
        KUBECONFIG: front.kubeconfig,
        HEADGATE_NAMESPACE: namespace,
        HEADGATE_POD_NETWORK: '1',
        POD_NAME: name,
      },
      { isSpare: true },
    );
  let controller = load();
  let spare = fate && load();
  controller.begin();
  const next = () => {
    controller = spare ?? load();
    controller.begin();
    spare = fate && load();
  };
  return {
    tell: () => controller.tell(),
    async restart() {
      await controller.hasEnded();
      next();
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      await controller[Symbol.asyncDispose]();
      await spare?.[Symbol.asyncDispose]();
      await front[Symbol.asyncDispose]();
    },
  };
}
