import { pinCommand } from './pinning.ts';

export const command = pinCommand({
  usage: '<header=value | cookie name=value> [--release <n>] [--reason <text>]',
  help: 'Requests with this header or cookie go by weight again. For a pin of an A/B test this is the kill switch.',
  options: {},
  to: () => undefined,
});
