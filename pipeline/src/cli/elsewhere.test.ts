import { expect, test } from '@jest/globals';
import { sharingOf } from './elsewhere.ts';
import type { Shell } from './shell.ts';

function writesWith(env: Shell['env']): boolean | undefined {
  const shell = { env: { HEADGATE_CACHE_KEY: 'shared by all', ...env }, err: () => {} } as unknown as Shell;
  return sharingOf('registry.example/ratings', shell)?.writes;
}

test.each([
  { what: 'a pull request on GitHub', env: { GITHUB_EVENT_NAME: 'pull_request', GITHUB_REF: 'refs/pull/7/merge' } },
  { what: 'a review of one', env: { GITHUB_EVENT_NAME: 'pull_request_review', GITHUB_REF: 'refs/pull/7/merge' } },
  { what: 'one of a fork in a multibranch job', env: { CHANGE_ID: '7', CHANGE_FORK: 'mallory' } },
  { what: 'one of a branch there', env: { CHANGE_ID: '7' } },
])('sharingOf() lets $what read what machines share, and write none of it', ({ env }) => {
  expect(writesWith(env)).toBe(false);
});

test.each([
  { what: 'a merge on GitHub', env: { GITHUB_EVENT_NAME: 'push', GITHUB_REF: 'refs/heads/main' } },
  { what: 'a branch in Jenkins', env: { JENKINS_URL: 'https://jenkins.example/', BRANCH_NAME: 'main' } },
  { what: 'a laptop', env: {} },
])('sharingOf() lets $what write', ({ env }) => {
  expect(writesWith(env)).toBe(true);
});
