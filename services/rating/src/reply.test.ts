import { expect, test } from '@jest/globals';
import { emptyReply, keptReply, refusalOf, replyOf } from './reply.ts';

test('replyOf() writes exactly the form that the proxy cuts', () => {
  const { text } = replyOf(201, { items: [{ id: 'a' }] });

  expect(text).toBe('{"headers":{},"body":{"items":[{"id":"a"}]},"statusCode":201}');
});

test('emptyReply() has the body that the proxy turns into none', () => {
  expect(emptyReply(204)).toEqual({ status: 204, text: '{"headers":{},"body":{},"statusCode":204}' });
});

test('refusalOf() holds all that is wrong', () => {
  const reply = refusalOf(422, [{ path: 'ids', message: 'must be given' }]);

  expect(JSON.parse(reply.text)).toEqual({
    headers: {},
    body: { errors: [{ path: 'ids', message: 'must be given' }] },
    statusCode: 422,
  });
});

test.each([201, 204, 422])('keptReply() reads the status %d back', (status) => {
  const reply = replyOf(status, { statusCode: 999 });

  expect(keptReply(reply.text)).toEqual(reply);
});
