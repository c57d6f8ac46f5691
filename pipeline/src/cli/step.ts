import { actCommand } from './act.ts';

export const command = actCommand('step', 'the next weight now');
