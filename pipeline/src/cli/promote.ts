import { actCommand } from './act.ts';

export const command = actCommand('promote', 'candidate to 100 % now; the watch stays on');
