import { expect, test } from '@jest/globals';
import { divided } from './once.ts';

const config = { kind: 'ConfigMap', metadata: { name: 'sql' }, data: { up: 'create table a' } };
const other = { kind: 'ConfigMap', metadata: { name: 'other' }, data: { a: '1' } };
const job = {
  kind: 'Job',
  metadata: { name: 'migrate' },
  spec: { template: { volumes: [{ configMap: { name: 'sql' } }] } },
};

function nameOf(...objects: object[]): string | undefined {
  return divided({ name: 'database', objects: objects as { metadata: { name: string } }[] }).jobs[0]?.metadata.name;
}

test('divided() names a Job by its content and by what it reads, and by nothing else', () => {
  const name = nameOf(config, other, job);

  expect(name).toMatch(/^migrate-[0-9a-f]{10}$/);
  expect(nameOf(job, { ...other, data: { a: '2' } }, config)).toBe(name);
  expect(nameOf({ ...config, data: { up: 'create table b' } }, other, job)).not.toBe(name);
  expect(nameOf(config, other, { ...job, spec: { ...job.spec, backoffLimit: 1 } })).not.toBe(name);
});

test('divided() leaves room for the names of pods', () => {
  expect(nameOf({ ...job, metadata: { name: 'm'.repeat(63) } })).toHaveLength(63);
});

test('divided() refuses a Job that would go away and run again', () => {
  const gone = { ...job, spec: { ttlSecondsAfterFinished: 60 } };

  expect(() => nameOf(gone)).toThrow(/^Cannot deploy database as Job migrate must stay .* is "60"$/);
});
