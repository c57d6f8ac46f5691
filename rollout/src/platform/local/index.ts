/** The door to what runs an image on this machine. It loads a reader of archives. */
export { type PulledImage, pullImage } from './image/pull.ts';
export { argumentsFor } from './own-process.ts';
export { BoundedLog } from './supervisor/bounded-log.ts';
export { startBoxed } from './supervisor/boxed.ts';
