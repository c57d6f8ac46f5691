import { expect, test } from '@jest/globals';
import { HeadgateError } from '../../errors.ts';
import { reading, writing } from './objects.ts';

const { signal } = new AbortController();
const failing = (message: string) => async () => {
  throw new HeadgateError('CLUSTER_UNREACHABLE', message, { hint: 'look' });
};

test('a failure of the cluster gets the code that the port promises, and says only once what could not be done', async () => {
  const silent = 'Cannot read ConfigMap a/b as the API server does not answer: ECONNREFUSED';

  await expect(reading('ConfigMap a/b', signal, failing(silent))).rejects.toMatchObject({
    code: 'JOURNAL_UNREADABLE',
    message: silent,
    hint: 'look',
  });
});

test('what was to be written is named where it failed at something before', async () => {
  const silent = 'Cannot read ConfigMap a/b as the API server does not answer: ECONNREFUSED';

  await expect(writing('ConfigMap a/b', signal, failing(silent))).rejects.toMatchObject({
    code: 'JOURNAL_UNWRITABLE',
    message: `Cannot write ConfigMap a/b as the cluster must take part: ${silent}`,
  });
});
