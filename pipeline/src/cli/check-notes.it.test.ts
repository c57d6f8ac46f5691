import { expect, test } from '@jest/globals';
import { anApp } from './process.rig.ts';

test('what a failed check says of a place in the sources stands there on GitHub, without a secret', async () => {
  const says = 'services/proxy/src/main.ts(1,3): error TS2345: p@ss/w0rd is no argument';
  await using app = await anApp(`#!/bin/sh\necho '${says}'\nexit 1\n`);

  const running = app.start(['run', 'check'], { GITHUB_ACTIONS: 'true', NPM_TOKEN: 'p@ss/w0rd' });
  const { code } = await running.ended;

  expect(code).toBe(1);
  expect(running.text()).toMatch(
    /^::error title=check,file=services\/proxy\/src\/main\.ts,line=1::TS2345: \*\*\* is no argument$/m,
  );
});
