import { Checks } from '../check.ts';
import { derivedId } from '../id.ts';
import { emptyReply, keptReply, refusalOf, replyOf } from '../reply.ts';
import { type Handler, pageOf } from './handler.ts';

const invalid = 422;

export const listRatings: Handler = async (asked, store) => {
  const checks = new Checks();
  const page = pageOf(asked, checks);
  if (checks.issues.length > 0) return refusalOf(invalid, checks.issues);
  return replyOf(200, { items: await store.listRatings(page) });
};

/** All of them or none, and once for each command. */
export const addRatings: Handler = async ({ id, subject, body }, store) => {
  const checks = new Checks();
  const ratings = checks.items(body).map(({ path, item }, i) => ({
    id: derivedId(id, i),
    userId: checks.uuid(`${path}.userId`, item['userId']),
    serviceId: checks.uuid(`${path}.serviceId`, item['serviceId']),
    score: checks.whole(`${path}.score`, item['score'], { min: 0, max: 5 }),
  }));
  if (checks.issues.length > 0) return refusalOf(invalid, checks.issues);
  const { text } = replyOf(201, { items: ratings });
  return keptReply(await store.apply({ id, subject }, { kind: 'addRatings', ratings }, text));
};

export const removeRatings: Handler = async ({ id, subject, body, query }, store) => {
  const checks = new Checks();
  const ids = checks.ids(query, body);
  if (checks.issues.length > 0) return refusalOf(invalid, checks.issues);
  if (ids === undefined) return refusalOf(invalid, [{ path: 'ids', message: 'must be given: current value is none' }]);
  return keptReply(await store.apply({ id, subject }, { kind: 'removeRatings', ids }, emptyReply(204).text));
};
