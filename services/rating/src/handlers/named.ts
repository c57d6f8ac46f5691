import { Checks } from '../check.ts';
import { derivedId } from '../id.ts';
import { keptReply, refusalOf, replyOf } from '../reply.ts';
import type { Noun } from '../repository.ts';
import { type Handler, pageOf } from './handler.ts';

const invalid = 422;

export function listNamed(noun: Noun): Handler {
  return async (asked, store) => {
    const checks = new Checks();
    const page = pageOf(asked, checks);
    if (checks.issues.length > 0) return refusalOf(invalid, checks.issues);
    return replyOf(200, { items: await store.listNamed(noun, page) });
  };
}

/** All of them or none, and once for each command. */
export function addNamed(noun: Noun): Handler {
  return async ({ id, subject, body }, store) => {
    const checks = new Checks();
    const items = checks.items(body).map(({ path, item }, i) => ({
      id: derivedId(id, i),
      name: checks.name(`${path}.name`, item['name']),
    }));
    if (checks.issues.length > 0) return refusalOf(invalid, checks.issues);
    const { text } = replyOf(201, { items });
    return keptReply(await store.apply({ id, subject }, { kind: 'addNamed', noun, items }, text));
  };
}
