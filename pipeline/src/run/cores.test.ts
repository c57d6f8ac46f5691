import { expect, test } from '@jest/globals';
import { usableCores } from './cores.ts';

test.each<{ what: string; files: Readonly<Record<string, string>>; cores: number }>([
  { what: 'all of a machine without control groups', files: {}, cores: 64 },
  {
    what: 'all where there is no limit',
    files: { '/proc/self/cgroup': '0::/', '/sys/fs/cgroup/cpu.max': 'max 100000' },
    cores: 64,
  },
  {
    what: 'those of a container, version 2',
    files: { '/proc/self/cgroup': '0::/', '/sys/fs/cgroup/cpu.max': '200000 100000' },
    cores: 2,
  },
  {
    what: 'those of a group above',
    files: {
      '/proc/self/cgroup': '0::/ci.slice/job.scope',
      '/sys/fs/cgroup/ci.slice/cpu.max': '400000 100000',
      '/sys/fs/cgroup/ci.slice/job.scope/cpu.max': 'max 100000',
    },
    cores: 4,
  },
  {
    what: 'one more for a part of one, and at least one',
    files: { '/proc/self/cgroup': '0::/', '/sys/fs/cgroup/cpu.max': '150000 100000' },
    cores: 2,
  },
  {
    what: 'one of a tenth',
    files: { '/proc/self/cgroup': '0::/', '/sys/fs/cgroup/cpu.max': '10000 100000' },
    cores: 1,
  },
  {
    what: 'those of a container, version 1',
    files: {
      '/proc/self/cgroup': '7:memory:/x\n4:cpu,cpuacct:/docker/1\n0::/',
      '/sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us': '300000',
      '/sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us': '100000',
    },
    cores: 3,
  },
  {
    what: 'all of version 1 without a limit',
    files: {
      '/proc/self/cgroup': '4:cpu,cpuacct:/',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
    },
    cores: 64,
  },
])('usableCores() are $what', ({ files, cores }) => {
  expect(usableCores((path) => files[path], 64)).toBe(cores);
});
