export type { Lane } from '@headgate/rollout';
