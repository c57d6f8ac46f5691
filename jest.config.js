import { availableParallelism } from 'node:os';

const transform = {
  '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }],
};
const base = {
  cacheDirectory: `${import.meta.dirname}/node_modules/.cache/jest`,
  transform,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  // A run keeps sources of the versions that it builds there.
  modulePathIgnorePatterns: ['/\\.headgate/'],
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
};
const room = (name) => ({
  ...base,
  displayName: name,
  rootDir: name,
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '\\.(it|slow|kube)\\.test\\.ts$'],
});

export default {
  // Jest's own choice is one less than the cores, which on two cores leaves one of them idle while a test waits for its servers.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  projects: [
    room('pipeline'),
    room('rollout'),
    room('services'),
    {
      ...base,
      displayName: 'it',
      testMatch: ['**/*.it.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '/dist/'],
    },
    {
      // Performance, Jenkins, kills at every boundary: minutes together, so `npm test` leaves them to `npm run test:slow`.
      ...base,
      displayName: 'slow',
      testMatch: ['**/*.slow.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '/dist/'],
    },
    {
      ...base,
      displayName: 'kube',
      runner: '<rootDir>/pipeline/cluster/jest-runner.js',
      testMatch: ['**/*.kube.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '/dist/'],
      globalSetup: '<rootDir>/pipeline/cluster/jest-setup.js',
      globalTeardown: '<rootDir>/pipeline/cluster/jest-teardown.js',
    },
  ],
  globalSetup: '<rootDir>/jest-ground.js',
  reporters: ['default', 'summary', '<rootDir>/closing-line-reporter.js'],
  testTimeout: 30_000,
};
