import { type Lane, lanes } from '../lane.ts';
import { type QueueTarget, workersOf } from './description.ts';
import {
  bucketStream,
  consumerPath,
  deadLetterStream,
  deadLetterSubject,
  inboxPrefix,
  sourcesSubject,
  streamName,
  subjectPrefix,
} from './names.ts';

/** Who speaks to NATS for an app; a user of each name connects with `inboxPrefix(app, role)`. */
export type Role = 'lag' | 'worker' | 'proxy' | 'controller' | 'bootstrap';

/** Subjects, as the `permissions` of a NATS user take them; all else is denied. */
export type Rights = { readonly publish: readonly string[]; readonly subscribe: readonly string[] };

/**
 * The least that each role needs. Workers of both lanes hold rights on both consumers from the start,
 * or an adoption would be refused when it is needed. Nobody may delete or purge a lane's stream.
 */
export function rightsOf(target: QueueTarget): Readonly<Record<Role, Rights>> {
  const { app, services } = target;
  const streams = lanes.map((lane) => streamName(target, lane));
  const consumers = lanes.flatMap((lane) =>
    Object.keys(workersOf(services)).map((service) => consumerPath(target, lane, service)),
  );
  const own = (role: Role): string => `${inboxPrefix(app, role)}.>`;
  const look = [...api('STREAM.INFO', streams), ...api('CONSUMER.INFO', consumers)];
  const advisories = streams.map((stream) => `$JS.EVENT.ADVISORY.CONSUMER.*.${stream}.>`);
  const sources = sourcesSubject(app, '*');
  const readSources = `$JS.API.DIRECT.GET.${bucketStream}.${sources}`;
  return {
    lag: { publish: look, subscribe: [own('lag'), ...advisories] },
    worker: {
      publish: [
        ...api('CONSUMER.INFO', consumers),
        ...api('CONSUMER.MSG.NEXT', consumers),
        ...consumers.flatMap((consumer) => [`$JS.ACK.${consumer}.>`, `$JS.ACK.*.*.${consumer}.>`]), // The second is the subject of newer servers.
        own('proxy'),
        readSources,
      ],
      subscribe: [own('worker'), sources],
    },
    proxy: { publish: lanes.flatMap((lane) => requestsOf(target, lane)), subscribe: [own('proxy')] },
    controller: {
      publish: [
        ...look,
        ...api('CONSUMER.PAUSE', consumers),
        ...api('STREAM.MSG.GET', streams),
        ...api('STREAM.MSG.DELETE', streams),
        readSources,
        sources,
        ...lanes.map((lane) => deadLetterSubject(app, lane)),
        own('proxy'),
      ],
      subscribe: [own('controller'), ...advisories],
    },
    bootstrap: {
      publish: [
        ...['CREATE', 'INFO'].flatMap((call) =>
          api(`STREAM.${call}`, [...streams, bucketStream, deadLetterStream(app)]),
        ),
        ...api('STREAM.UPDATE', streams),
        ...['CREATE', 'INFO'].flatMap((call) => api(`CONSUMER.${call}`, consumers)),
      ],
      subscribe: [own('bootstrap')],
    },
  };
}

/** Bare subjects one by one: a wildcard would let a proxy write to what is not a lane's. */
function requestsOf(target: QueueTarget, lane: Lane): readonly string[] {
  const prefix = subjectPrefix(target, lane);
  return prefix === '' ? Object.values(target.services).flatMap(({ pulls }) => pulls) : [`${prefix}.*.*`];
}

function api(call: string, names: readonly string[]): readonly string[] {
  return names.map((name) => `$JS.API.${call}.${name}`);
}
