import { actCommand } from './act.ts';

export const command = actCommand('resume', 'lets steps go on');
