/** A process of its own that answers what is left in a lane, for a test that kills it. */
import { openJetStreamQueue } from './jetstream.ts';

const [, , url = '', app = '', service = '', pulls = ''] = process.argv;
const services = { [service]: { pulls: [pulls] } };
const queue = openJetStreamQueue({ app, services, existing: undefined, url });
const never = new AbortController().signal;
while ((await queue.answerLeft('green', Number.MAX_SAFE_INTEGER, never)) > 0);
await queue[Symbol.asyncDispose]();
