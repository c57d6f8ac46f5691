import { expect, test } from '@jest/globals';
import type { Json } from '../journal/journal.ts';
import { openMemoryJournal } from '../journal/memory.ts';
import { newPlay, perform } from '../simulate/play.ts';
import { readHead } from './book.ts';

test.each([
  { what: 'live’s workers are told to adopt', was: 'bind' },
  { what: 'the lane gets live’s workers', was: 'redeploy' },
])('readHead() goes on with a release of an older version, in which $what', async ({ was }) => {
  const signal = AbortSignal.timeout(5_000);
  const play = newPlay();
  for (const line of ['live v1', `release v2 ${was}`]) perform(play, line);
  const { release, ...head } = play.head;
  const { adopt: _, redeploy, ...plan } = release!.plan;
  const older = { ...release, plan: was === 'bind' ? plan : { ...plan, redeploy } };
  const { journal } = openMemoryJournal();
  await journal.write(JSON.parse(JSON.stringify({ ...head, release: older })) as Json, undefined, signal);

  const read = await readHead(journal, 'play', signal);

  expect(read.release?.plan).toMatchObject({ adopt: was, redeploy: { id: head.lanes.blue!.id } });
});
