import { describe, expect, test } from '@jest/globals';
import { anEar } from './ear.rig.ts';
import { postWebhook } from './webhook.ts';

const signal = () => AbortSignal.timeout(20_000);

describe('postWebhook()', () => {
  test('sends the document as JSON, once', async () => {
    await using ear = await anEar(204);

    await postWebhook(`${ear.url}/hook/t0ken`, { text: 'release 7 is promoted' }, signal());

    expect(ear.heard).toMatchObject([
      {
        path: '/hook/t0ken',
        headers: { 'content-type': 'application/json' },
        body: '{"text":"release 7 is promoted"}',
      },
    ]);
  });

  test('tries again after a failure of the other side and after a broken connection', async () => {
    await using ear = await anEar(503, 0, 200);

    await postWebhook(ear.url, {}, signal());

    expect(ear.heard).toHaveLength(3);
  });

  test.each([
    { codes: [500], tries: 3, why: 'answered 500' },
    { codes: [404], tries: 1, why: 'answered 404' },
    { codes: [302], tries: 1, why: 'answered 302' },
    { codes: [0], tries: 3, why: 'answered nothing' },
  ])('gives up after $tries of $codes, and keeps the address to itself', async ({ codes, tries, why }) => {
    await using ear = await anEar(...codes);

    const failure = await postWebhook(`${ear.url}/t0ken`, {}, signal()).catch((error: Error) => error);

    expect(ear.heard).toHaveLength(tries);
    expect(failure).toMatchObject({ message: expect.stringMatching(new RegExp(`^127.0.0.1:\\d+ ${why}$`)) });
  });

  test('ends when it is told to', async () => {
    await using ear = await anEar(500);

    await expect(postWebhook(ear.url, {}, AbortSignal.timeout(300))).rejects.toMatchObject({
      name: expect.stringMatching(/AbortError|TimeoutError/),
    });
  });
});
