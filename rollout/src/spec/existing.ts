import { lanes } from '../lane.ts';
import { isWritten, pulls, type Rule, when } from './broken.ts';

/** What is there belongs to one lane, whole: each worker has its consumer on that stream, and nobody else's name. */
export const existingQueue: Rule = (spec) => {
  const existing = spec.queue?.existing;
  if (existing === undefined) return [];
  const path = ['queue', 'existing'];
  const pullers = [...(spec.services ?? [])].filter(([, service]) => pulls(service)).map(([service]) => service);
  const consumers = [...(existing.consumers ?? [])];
  return [
    ...when(!isWritten(spec, 'kubernetes'), { path, rule: 'must not be written without a part "kubernetes"' }),
    ...when(
      lanes.some((lane) => existing.stream === `${spec.app}-${lane}`),
      {
        path: [...path, 'stream'],
        rule: 'must not have the name that Headgate gives to the stream of a lane',
      },
    ),
    ...(existing.consumers === undefined ? [] : pullers)
      .filter((service) => existing.consumers?.has(service) === false)
      .map((service) => ({ path: [...path, 'consumers'], rule: `must name the consumer of ${service}` })),
    ...consumers.flatMap(([service, consumer], index) => [
      ...when(!pullers.includes(service), {
        path: [...path, 'consumers', service],
        rule: 'must be of a service that pulls',
        of: 'key',
      }),
      ...when(consumers.findIndex(([, other]) => other === consumer) < index, {
        path: [...path, 'consumers', service],
        rule: 'must be the consumer of one service only',
      }),
    ]),
  ];
};
