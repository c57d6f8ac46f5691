import { userInfo } from 'node:os';
import { expect, test } from '@jest/globals';
import { personOf } from './actor.ts';

test.each([
  { kind: 'github', env: { GITHUB_ACTOR: 'kim', GITHUB_TRIGGERING_ACTOR: 'lee' }, person: 'lee' },
  { kind: 'github', env: { GITHUB_ACTOR: 'kim' }, person: 'kim' },
  { kind: 'jenkins', env: { HEADGATE_APPROVER: 'kim' }, person: 'kim' },
  { kind: 'jenkins', env: {}, person: '' },
  { kind: 'local', env: { USER: 'somebody-else' }, person: userInfo().username },
] as const)('personOf($kind) is who acts: $person', ({ kind, env, person }) => {
  expect(personOf(kind, env)).toBe(person);
});
