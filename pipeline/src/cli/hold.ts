import { actCommand } from './act.ts';

export const command = actCommand('hold', 'stops steps until resume; never stops a rollback');
