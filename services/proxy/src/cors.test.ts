import { expect, test } from '@jest/globals';
import { corsHeaders } from './cors.ts';

const app = 'https://app.example';

test.each([
  { allowed: [], origin: app, headers: [] },
  { allowed: ['*'], origin: app, headers: ['Access-Control-Allow-Origin', '*'] },
  { allowed: [app], origin: app, headers: ['Access-Control-Allow-Origin', app, 'Vary', 'Origin'] },
  { allowed: [app], origin: 'https://evil.example', headers: ['Vary', 'Origin'] },
  { allowed: [app], origin: undefined, headers: ['Vary', 'Origin'] },
])('corsHeaders() for $origin when $allowed may call', ({ allowed, origin, headers }) => {
  expect(corsHeaders(origin, allowed)).toEqual(headers);
});
