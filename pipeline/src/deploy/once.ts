import { createHash } from 'node:crypto';
import { canonicalJson, HeadgateError, type KubeObject } from '@headgate/rollout';

/** What kubectl made of one folder of manifests. */
export type Part = { readonly name: string; readonly objects: readonly KubeObject[] };

export type Job = KubeObject & { readonly spec?: { readonly ttlSecondsAfterFinished?: number } };

export type Divided = {
  /** Stands, and is brought to what the manifests say. */
  readonly standing: readonly KubeObject[];
  /** Each under a name that holds its content: one that is done stays as the record that it was. */
  readonly jobs: readonly Job[];
};

/** Jobs run once for each content: their own, and that of the ConfigMaps and Secrets of the same manifests that they name. @throws {HeadgateError} `MANIFESTS_INVALID` */
export function divided({ name, objects }: Part): Divided {
  const standing = objects.filter(({ kind }) => kind !== 'Job');
  const config = standing.filter(({ kind }) => kind === 'ConfigMap' || kind === 'Secret');
  return { standing, jobs: objects.filter(({ kind }) => kind === 'Job').map((job) => onceOf(job, config, name)) };
}

/** Names of pods and labels end at 63. */
const jobNameMax = 52;
const hashDigits = 10;

function onceOf(job: Job, config: readonly KubeObject[], part: string): Job {
  const { metadata, spec } = job;
  if (spec?.ttlSecondsAfterFinished !== undefined) {
    throw new HeadgateError(
      'MANIFESTS_INVALID',
      `Cannot deploy ${part} as Job ${metadata.name} must stay when it is done, or it would run again: current value of ttlSecondsAfterFinished is "${spec.ttlSecondsAfterFinished}"`,
      { hint: `take ttlSecondsAfterFinished out of it` },
    );
  }
  const text = JSON.stringify(job);
  const named = config.filter((one) => text.includes(JSON.stringify(one.metadata.name)));
  const content = createHash('sha256')
    .update(canonicalJson([job, ...named]))
    .digest('hex');
  return {
    ...job,
    metadata: {
      ...metadata,
      name: `${metadata.name.slice(0, jobNameMax)}-${content.slice(0, hashDigits)}`,
      annotations: { ...metadata.annotations, 'headgate.dev/content': content },
    },
  };
}
