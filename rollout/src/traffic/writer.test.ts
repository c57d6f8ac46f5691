import { expect, test } from '@jest/globals';
import { type ManagedFields, writerOf } from './writer.ts';

const rules = ['f:spec', 'f:rules'];
const entry = (manager: string, time: string, fieldsV1: unknown, rest: Partial<ManagedFields> = {}): ManagedFields => ({
  manager,
  time,
  fieldsV1,
  operation: 'Update',
  ...rest,
});

test.each([
  {
    what: 'the one that owns the field',
    fields: [entry('kubectl-edit', '2026-01-01T00:00:02Z', { 'f:spec': { 'f:rules': {} } })],
    writer: 'kubectl-edit',
  },
  {
    what: 'Headgate, when it shares the field',
    fields: [
      entry('argocd', '2026-01-01T00:00:03Z', { 'f:spec': { 'f:rules': {} } }, { operation: 'Apply' }),
      entry('headgate', '2026-01-01T00:00:02Z', { 'f:spec': { 'f:rules': {} } }),
    ],
    writer: 'headgate',
  },
  {
    what: 'nobody, for a field that nobody owns',
    fields: [
      entry('kubectl', '2026-01-01T00:00:03Z', { 'f:metadata': { 'f:labels': {} }, 'f:spec': { 'f:hostnames': {} } }),
      entry('gateway', '2026-01-01T00:00:04Z', { 'f:spec': { 'f:rules': {} } }, { subresource: 'status' }),
    ],
    writer: undefined,
  },
  {
    what: 'the newest of several',
    fields: [
      entry('flux', '2026-01-01T00:00:03Z', { 'f:spec': { 'f:rules': {} } }),
      entry('argocd', '2026-01-01T00:00:04Z', { 'f:spec': { 'f:rules': {} } }),
    ],
    writer: 'argocd',
  },
])('writerOf() is $what', ({ fields, writer }) => {
  expect(writerOf(fields, rules)).toBe(writer);
});
