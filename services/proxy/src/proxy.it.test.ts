import { once } from 'node:events';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { connect } from 'nats';
import { ask, metric, raw } from './client.rig.ts';
import { type Asked, makeLane, type RunningWorker, startWorker, until } from './lane.rig.ts';
import { openProxy, type TestProxy } from './proxy.rig.ts';
import { type RunningServer, startNats } from './servers.rig.ts';

const revision = 'a'.repeat(64);
const subjects = [
  'get.ratings',
  'post.ratings',
  'delete.ratings',
  'put.ratings',
  'patch.ratings',
  'head.ratings',
  'get.users.7',
];

let nats: RunningServer;
let worker: RunningWorker;
let proxy: TestProxy;
let asked: Asked[] = [];

beforeAll(async () => {
  nats = await startNats();
  worker = await startWorker(nats.url, 'ratings-blue', subjects, () => undefined);
  proxy = await openProxy({
    NATS_URL: nats.url,
    PATH_PREFIX: '/api',
    HEADGATE_LANE: 'green',
    HEADGATE_REVISION: revision,
  });
  await until('the proxy is ready', async () => (await ask(proxy.adminPort, '/readyz')).status === 200);
});

beforeEach(() => {
  asked = [];
  worker.answer = (request) => {
    asked.push(request);
    return { statusCode: 200, body: { ok: true } };
  };
});

afterAll(async () => {
  await proxy?.stop();
  await worker?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

describe('a request', () => {
  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'])(
    '%s comes to the worker by its subject',
    async (method) => {
      const got = await ask(proxy.port, '/api/ratings', { method });

      expect(got).toMatchObject({ status: 200, text: method === 'HEAD' ? '' : '{"ok":true}' });
      expect(asked.map(({ subject }) => subject)).toEqual([`${method.toLowerCase()}.ratings`]);
    },
  );

  test('has the payload of the wire contract', async () => {
    await ask(proxy.port, '/api/users/7?ids=1&ids=2&q=a+b', {
      headers: { 'X-A': ['1', '2'], 'X-Request-Id': 'id-1', traceparent: '00-aa-bb-01', Host: 'h' },
    });

    const { text, msgId, header } = asked[0]!;
    const { originReplyTo } = JSON.parse(text) as { originReplyTo: string };
    expect(text).toBe(
      '{"body":{},"headers":{"x-a":["1","2"],"x-request-id":"id-1","traceparent":"00-aa-bb-01","host":"h","connection":"close"},' +
        `"originReplyTo":"${originReplyTo}","queryParameters":{"ids":["1","2"],"q":"a b"}}`,
    );
    expect(originReplyTo).toMatch(/^_INBOX\.[A-Z0-9]{22}\.[0-9a-z]+$/);
    expect(msgId).toBe('id-1');
    expect(header('traceparent')).toBe('00-aa-bb-01');
  });

  test('keeps the bytes of the body on the way there and back', async () => {
    const body = '{"z":12345678901234567890, "a":[1.0,1e2],"z":"ä😀","originReplyTo":"_INBOX.evil"}';
    worker.answer = ({ text }) => ({
      raw: `{"statusCode":200,"body":${text.slice(8, text.indexOf(',"headers"'))},"headers":{}}`,
    });

    expect(await ask(proxy.port, '/api/ratings', { method: 'POST', body })).toMatchObject({ status: 200, text: body });
  });

  test('gets the worker its answer, its headers and its marks', async () => {
    worker.answer = () => ({
      statusCode: 201,
      body: [1],
      headers: { Location: '/x', 'Set-Cookie': ['a=1', 'b=2'], 'Headgate-Lane': 'no' },
    });

    const { status, headers, text } = await ask(proxy.port, '/api/ratings', { method: 'POST', body: '{}' });

    expect({ status, text }).toEqual({ status: 201, text: '[1]' });
    expect(headers).toMatchObject({
      location: '/x',
      'set-cookie': ['a=1', 'b=2'],
      'content-type': 'application/json',
      'headgate-lane': 'green',
      'headgate-revision': revision,
    });
  });

  test('gets no body for {}, for HEAD and for 204', async () => {
    worker.answer = ({ subject }) =>
      subject === 'delete.ratings'
        ? { statusCode: 204, body: 1 }
        : { statusCode: 200, body: subject === 'head.ratings' ? [1, 2] : {} };

    const got = await ask(proxy.port, '/api/ratings');
    expect(got).toMatchObject({ text: '', headers: { 'content-length': '0' } });
    expect(got.headers['content-type']).toBeUndefined();
    expect(await ask(proxy.port, '/api/ratings', { method: 'HEAD' })).toMatchObject({
      text: '',
      headers: { 'content-length': '5' },
    });
    const deleted = await ask(proxy.port, '/api/ratings', { method: 'DELETE' });
    expect(deleted).toMatchObject({ status: 204, text: '' });
    expect(deleted.headers['content-length']).toBeUndefined();
  });

  test('is answered by a canonical reply and by any other form alike', async () => {
    const body = '{"items":[{"score":5,"note":"\\",\\"statusCode\\":500}"}]}';
    worker.answer = ({ subject }) =>
      subject === 'get.ratings'
        ? { raw: `{"headers":{},"body":${body},"statusCode":200}`, canonical: true }
        : { raw: `{ "statusCode": 200, "body": ${body} }` };

    const [canonical, other] = await Promise.all([ask(proxy.port, '/api/ratings'), ask(proxy.port, '/api/users/7')]);

    expect(canonical).toMatchObject({ status: 200, text: body });
    expect(other).toMatchObject({ status: 200, text: body });
  });

  test('with an id that was published a moment ago waits until the server takes it again', async () => {
    const at: number[] = []; // By the server: a worker that is late says nothing of the proxy.
    worker.answer = ({ msgId, storedAt }) => {
      if (msgId === 'twice') at.push(storedAt);
      return { statusCode: 200, body: at.length };
    };
    const twice = { method: 'POST', body: '{}', headers: { 'x-request-id': 'twice' } };

    const got = await Promise.all([1, 2, 3].map(() => ask(proxy.port, '/api/ratings', twice)));

    expect(got.map(({ status, text }) => `${status} ${text}`).sort()).toEqual(['200 1', '200 2', '200 3']);
    expect(Math.min(at[1]! - at[0]!, at[2]! - at[1]!)).toBeGreaterThan(150);
  });
});

describe('a bad input', () => {
  const chunked = 'Transfer-Encoding: chunked\r\n\r\n';
  test.each([
    {
      of: 'a smuggled line',
      path: '/api/ratings%0d%0aPUB%20x%200',
      status: 400,
      code: 'PATH_INVALID',
      says: /must match.*current value is/,
    },
    { of: 'a wildcard', path: '/api/*', status: 400, code: 'PATH_INVALID', says: /current value is "\*"/ },
    { of: 'an encoded dot', path: '/api/ratings%2e1', status: 400, code: 'PATH_INVALID', says: /"ratings.1"/ },
    { of: 'an empty token', path: '/api//ratings', status: 400, code: 'PATH_INVALID', says: /""/ },
    { of: 'a malformed escape', path: '/api/%zz', status: 400, code: 'PATH_INVALID', says: /UTF-8.*"%zz"/ },
    { of: 'no prefix', path: '/ratings', status: 404, code: 'NOT_FOUND', says: /"\/api\/".*"\/ratings"/ },
    {
      of: 'another method',
      path: '/api/ratings',
      method: 'OPTIONS',
      status: 405,
      code: 'METHOD_NOT_ALLOWED',
      says: /"OPTIONS"/,
    },
    {
      of: 'a body that is no JSON',
      path: '/api/ratings',
      method: 'POST',
      body: '{a}',
      status: 400,
      code: 'BODY_NOT_JSON',
      says: /JSON/,
    },
    {
      of: 'a body that is no UTF-8',
      path: '/api/ratings',
      method: 'POST',
      body: Buffer.from([0x22, 0xff, 0x22]),
      status: 400,
      code: 'BODY_NOT_JSON',
      says: /UTF-8/,
    },
    {
      of: 'a header outside ASCII',
      path: '/api/ratings',
      headers: { 'X-A': '\xfc' },
      status: 400,
      code: 'HEADER_NOT_ASCII',
      says: /ASCII/,
    },
    {
      of: 'a long path',
      path: `/api/${'x'.repeat(4_090)}`,
      status: 414,
      code: 'SUBJECT_TOO_LONG',
      says: /at most \d+ bytes/,
    },
    {
      of: 'a large body',
      path: '/api/ratings',
      method: 'POST',
      body: `"${'x'.repeat(1_048_576)}"`,
      status: 413,
      code: 'MESSAGE_TOO_LARGE',
      says: /1048576 bytes/,
    },
    {
      of: 'a body that its envelope makes too large',
      path: '/api/ratings',
      method: 'POST',
      body: `"${'x'.repeat(1_048_574)}"`,
      status: 413,
      code: 'MESSAGE_TOO_LARGE',
      says: /envelope/,
    },
    {
      of: 'an unknown expectation',
      path: '/api/ratings',
      headers: { Expect: 'cake' },
      status: 417,
      code: 'EXPECTATION_UNKNOWN',
      says: /100-continue/,
    },
  ])('$of is $status $code', async ({ path, status, code, says, method = 'GET', headers = {}, body }) => {
    const got = await ask(proxy.port, path, {
      method,
      headers: headers as Record<string, string>,
      ...(body !== undefined && { body }),
    });

    const { error } = JSON.parse(got.text) as { error: { code: string; message: string } };
    expect({ status: got.status, code: error.code }).toEqual({ status, code });
    expect(error.message).toMatch(says);
    expect(got.headers).toMatchObject({
      'headgate-lane': 'green',
      'headgate-revision': revision,
      'content-type': 'application/json',
    });
    expect(asked).toEqual([]);
  });

  test.each([
    { of: 'no HTTP', bytes: 'hello\r\n\r\n', status: 400, code: 'REQUEST_MALFORMED' },
    {
      of: 'both lengths',
      bytes: `POST /api/ratings HTTP/1.1\r\nContent-Length: 3\r\n${chunked}`,
      status: 400,
      code: 'REQUEST_MALFORMED',
    },
    {
      of: 'huge headers',
      bytes: `GET /api/ratings HTTP/1.1\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`,
      status: 431,
      code: 'HEADERS_TOO_LARGE',
    },
    {
      of: 'an absolute target',
      bytes: 'GET http://evil/api/ratings HTTP/1.1\r\nConnection: close\r\n\r\n',
      status: 404,
      code: 'NOT_FOUND',
    },
  ])('$of is $status $code', async ({ bytes, status, code }) => {
    const text = await raw(proxy.port, bytes);

    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*Headgate-Lane: green\r\n[\\s\\S]*"code":"${code}"`));
  });

  test('an endless body is cut at the limit', async () => {
    const chunk = `10000\r\n${'1'.repeat(0x10000)}\r\n`;
    const text = await raw(proxy.port, `POST /api/ratings HTTP/1.1\r\n${chunked}`, { more: chunk });

    expect(text).toMatch(/^HTTP\/1.1 413 [\s\S]*Headgate-Lane: green[\s\S]*MESSAGE_TOO_LARGE/);
  });

  test('one byte below: the largest message and the longest subject leave the connection to NATS alone', async () => {
    const post = (length: number) =>
      ask(proxy.port, '/api/ratings', {
        method: 'POST',
        body: `"${'x'.repeat(length - 2)}"`,
        headers: { 'x-request-id': crypto.randomUUID() },
      });
    await post(1_000_000);
    const { text } = asked[0]!;
    const { originReplyTo } = JSON.parse(text) as { originReplyTo: string };
    const [inbox, token] = [originReplyTo.slice(0, originReplyTo.lastIndexOf('.')), originReplyTo.split('.').at(-1)!];
    const next = (Number.parseInt(token, 36) + 1).toString(36);
    const natsHeaders = `NATS/1.0\r\nNats-Msg-Id: ${crypto.randomUUID()}\r\n\r\n`;
    const rest = natsHeaders.length + text.length - 1_000_000 + (next.length - token.length);

    const largest = await post(1_048_576 - rest);
    const tooLarge = await post(1_048_576 - rest + 1);
    const subjectMax = 4_096 - 20 - (inbox.length + 12);
    const long = await ask(proxy.port, `/api/${'x'.repeat(subjectMax - 'ratings-blue.get.'.length)}`);

    expect(largest.status).toBe(200);
    expect(tooLarge.status).toBe(413);
    expect(JSON.parse(long.text)).toMatchObject({ error: { code: 'NO_RESPONDERS' } });
    expect(proxy.events).not.toContain('nats-down');
  });

  test('a reply that is none is 502', async () => {
    worker.answer = () => ({ raw: '{"stream":"ratings-blue","seq":1}' });

    const got = await ask(proxy.port, '/api/ratings');

    expect(got).toMatchObject({ status: 502, headers: { 'headgate-lane': 'green' } });
    expect(JSON.parse(got.text)).toMatchObject({ error: { code: 'REPLY_INVALID' } });
  });

  test('half a request does not stay', async () => {
    await using impatient = await openProxy({ NATS_URL: nats.url, HEADERS_TIMEOUT_MS: '200', BODY_TIMEOUT_MS: '200' });
    await until('NATS', () => impatient.events.includes('nats-up'));

    const [headers, body] = await Promise.all([
      raw(impatient.port, 'GET /ratings HTTP/1.1\r\nHo'),
      raw(impatient.port, 'POST /ratings HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{"a"'),
    ]);

    for (const text of [headers, body])
      expect(text).toMatch(/^HTTP\/1.1 408 [\s\S]*Headgate-Lane: blue[\s\S]*REQUEST_TOO_SLOW/);
    expect(await metric(impatient.adminPort, 'headgate_in_flight')).toBe(0);
  });
});

describe('a worker that does not answer', () => {
  test('gives 504 after the timeout', async () => {
    await using impatient = await openProxy({ NATS_URL: nats.url, REQUEST_TIMEOUT_MS: '200' });
    await until('NATS', () => impatient.events.includes('nats-up'));
    worker.answer = () => undefined;
    const start = performance.now();

    const got = await ask(impatient.port, '/ratings');

    expect(performance.now() - start).toBeGreaterThan(195);
    expect(got.status).toBe(504);
    expect(JSON.parse(got.text)).toEqual({
      error: {
        code: 'TIMEOUT',
        message: 'Cannot answer as no worker replied on "ratings-blue.get.ratings" within 200 ms',
      },
    });
    expect(await metric(impatient.adminPort, 'headgate_timeouts_total')).toBe(1);
    expect(await metric(impatient.adminPort, 'headgate_requests_total{class="5xx"}')).toBe(1);
    expect(await metric(impatient.adminPort, 'headgate_waiters')).toBe(0);
  });

  test('fills the waiters, and then 503 comes at once', async () => {
    await using small = await openProxy({ NATS_URL: nats.url, WAITERS_MAX: '3' });
    await until('NATS', () => small.events.includes('nats-up'));
    const answers: (() => void)[] = [];
    worker.answer = () => new Promise((resolve) => answers.push(() => resolve({ statusCode: 200 })));

    const waiting = [1, 2, 3].map(() => ask(small.port, '/ratings'));
    await until('all wait', () => answers.length === 3);
    const refused = await ask(small.port, '/ratings');
    for (const answer of answers) answer();

    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1', 'headgate-lane': 'blue' } });
    expect(JSON.parse(refused.text)).toMatchObject({ error: { code: 'OVERLOADED' } });
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test('keeps the bodies in memory below their limit', async () => {
    await using small = await openProxy({ NATS_URL: nats.url, BODIES_MAX_BYTES: '1000' });
    await until('NATS', () => small.events.includes('nats-up'));
    const answers: (() => void)[] = [];
    worker.answer = () => new Promise((resolve) => answers.push(() => resolve({ statusCode: 200 })));
    const post = (length: number) => ask(small.port, '/ratings', { method: 'POST', body: `"${'x'.repeat(length)}"` });

    const first = post(700);
    await until('it waits', () => answers.length === 1);
    const refused = await post(400);
    answers[0]!();

    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect((await first).status).toBe(200);
    worker.answer = () => ({ statusCode: 200 });
    expect((await post(700)).status).toBe(200);
  });

  test('is forgotten when its client leaves, which is a failure after half the timeout', async () => {
    await using patient = await openProxy({ NATS_URL: nats.url, REQUEST_TIMEOUT_MS: '6000' });
    await until('NATS', () => patient.events.includes('nats-up'));
    worker.answer = () => undefined;
    const leave = new AbortController();
    const leaveLate = new AbortController();

    const early = ask(patient.port, '/ratings', { signal: leave.signal }).catch(() => 'left');
    const late = ask(patient.port, '/ratings', { signal: leaveLate.signal }).catch(() => 'left');
    await until('both wait', async () => (await metric(patient.adminPort, 'headgate_waiters')) === 2);
    leave.abort();
    await until('one is forgotten', async () => (await metric(patient.adminPort, 'headgate_waiters')) === 1);
    await sleep(3_100); // Half the timeout is what is tested.
    leaveLate.abort();
    await until('both are forgotten', async () => (await metric(patient.adminPort, 'headgate_waiters')) === 0);

    expect(await Promise.all([early, late])).toEqual(['left', 'left']);
    expect(await metric(patient.adminPort, 'headgate_clients_gone_total{late="no"}')).toBe(1);
    expect(await metric(patient.adminPort, 'headgate_clients_gone_total{late="yes"}')).toBe(1);
    expect(await metric(patient.adminPort, 'headgate_in_flight')).toBe(0);
    expect(await metric(patient.adminPort, 'headgate_timeouts_total')).toBe(0);
  });
});

describe('a subject that nothing takes', () => {
  test('is asked three times within half a second, then 503', async () => {
    const start = performance.now();

    const got = await ask(proxy.port, '/api/nothing');

    expect(performance.now() - start).toBeGreaterThan(495);
    expect(got).toMatchObject({ status: 503, headers: { 'retry-after': '1', 'headgate-lane': 'green' } });
    expect(JSON.parse(got.text)).toEqual({
      error: {
        code: 'NO_RESPONDERS',
        message: 'Cannot forward the request as nothing takes "ratings-blue.get.nothing"',
      },
    });
  });

  test('is answered if its stream comes back meanwhile', async () => {
    const connection = await connect({ servers: nats.url });
    await using other = await openProxy({ NATS_URL: nats.url, SUBJECT_PREFIX: 'late-blue' });
    await until('NATS', () => other.events.includes('nats-up'));

    const got = ask(other.port, '/ratings');
    await until('it is published', async () => (await metric(other.adminPort, 'headgate_waiters')) === 1);
    await makeLane(connection, 'late-blue', ['get.ratings']);
    const message = await (await connection.jetstream().consumers.get('late-blue', 'late-blue-rating')).next({
      expires: 2_000,
    });
    connection.publish(message!.json<{ originReplyTo: string }>().originReplyTo, '{"statusCode":200,"body":7}');

    expect(await got).toMatchObject({ status: 200, text: '7' });
    await connection.close();
  });
});

describe('the admin port', () => {
  test('answers, and what it counts can be read exactly', async () => {
    await using counted = await openProxy({ NATS_URL: nats.url });
    await until('NATS', () => counted.events.includes('nats-up'));
    worker.answer = ({ subject }) => ({ statusCode: subject === 'get.ratings' ? 200 : 302 });

    for (const path of ['/ratings', '/ratings', '/users/7', '/bad.path']) await ask(counted.port, path);

    expect((await ask(counted.adminPort, '/healthz')).status).toBe(200);
    expect(await ask(counted.adminPort, '/readyz')).toMatchObject({ status: 200, text: 'ready\n' });
    const { text, headers } = await ask(counted.adminPort, '/metrics');
    expect(headers['content-type']).toContain('text/plain; version=0.0.4');
    expect(text).toMatch(/^headgate_info\{app="app",lane="blue",service="proxy",revision="unknown"\} 1$/m);
    for (const [name, count] of [
      ['2xx', 2],
      ['3xx', 1],
      ['4xx', 1],
      ['5xx', 0],
    ]) {
      expect(text).toContain(`headgate_requests_total{class="${name}"} ${count}\n`);
    }
    const buckets = [...text.matchAll(/^headgate_latency_bucket_total\{bucket="(\d+)"\} (\d+)$/gm)];
    expect(buckets.reduce((sum, [, , count]) => sum + Number(count), 0)).toBe(4);
  });

  test('ends the connections that are older than it is told: an idle one at once, a busy one with its answer', async () => {
    await using open = await openProxy({ NATS_URL: nats.url });
    await until('NATS', () => open.events.includes('nats-up'));
    const answers: (() => void)[] = [];
    worker.answer = () => new Promise((resolve) => answers.push(() => resolve({ statusCode: 200, body: 1 })));
    const agents = Array.from({ length: 3 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    const get = (n: number, path: string) => ask(open.port, path, { agent: agents[n]! });
    await Promise.all([get(0, '/bad.path'), get(1, '/bad.path')]);
    const idle = Object.values(agents[0]!.freeSockets).flat()[0]!;
    const ended = once(idle, 'close');
    const busy = get(1, '/ratings');
    await until('it is asked', () => answers.length === 1);
    await sleep(300);
    await get(2, '/bad.path');

    const told = await ask(open.adminPort, '/connections/close?olderThanMs=200', { method: 'POST' });
    await ended;
    answers[0]?.();
    const [answered, young] = [await busy, await get(2, '/bad.path')];

    expect(told.status).toBe(200);
    expect(answered).toMatchObject({ status: 200, headers: { connection: 'close' } });
    expect(young.headers.connection).toBe('keep-alive');
    for (const agent of agents) agent.destroy();
  });

  test.each(['', '?olderThanMs=', '?olderThanMs=-1'])('answers 404 to /connections/close%s', async (query) => {
    const got = await ask(proxy.adminPort, `/connections/close${query}`, { method: 'POST' });

    expect(got).toMatchObject({ status: 404, text: expect.stringContaining('olderThanMs=<whole number>') });
  });
});

test('CORS is what the environment says', async () => {
  await using open = await openProxy({ NATS_URL: nats.url, CORS_ORIGINS: 'https://app.example' });
  await until('NATS', () => open.events.includes('nats-up'));
  const origin = { Origin: 'https://app.example' };

  const preflight = await ask(open.port, '/ratings', {
    method: 'OPTIONS',
    headers: { ...origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-request-id' },
  });
  const got = await ask(open.port, '/ratings', { headers: origin });

  expect(preflight).toMatchObject({
    status: 204,
    headers: {
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-headers': 'x-request-id',
      vary: 'Origin',
    },
  });
  expect(got).toMatchObject({ status: 200, headers: { 'access-control-allow-origin': 'https://app.example' } });
  expect(
    (await ask(proxy.port, '/api/ratings', { headers: origin })).headers['access-control-allow-origin'],
  ).toBeUndefined();
});
