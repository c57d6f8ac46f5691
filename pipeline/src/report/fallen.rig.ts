/** The head of a journal, as JSON, whose release 7 went back for what an instance said last; nothing of it was judged. */
export function headFallenBy(lines: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const reason = {
    kind: 'start',
    text: 'the candidate does not start: proxy: crash: proxy of lane green ended with exit code 1',
  };
  const workload = { failure: 'proxy: crash: proxy of lane green ended with exit code 1', logLines: lines };
  const look = {
    now: 4_000,
    weights: { blue: 100, green: 0 },
    evidence: { logRollback: 0, logPromote: 0 },
    lanes: { blue: {}, green: { workload } },
  };
  const turned = {
    release: 7,
    look,
    before: { live: 'blue', phase: { kind: 'starting', since: 1_000 } },
    after: { live: 'blue', phase: { kind: 'rollingBack', stage: 'closing', since: 4_000, reason } },
    commands: [],
    why: reason.text,
  };
  const end = { id: 7, revision: 'b'.repeat(64), strategy: 'canary', actor: 'kim@desk', startedAt: 0, endedAt: 5_000 };
  return {
    app: 'ratings',
    fence: 3,
    live: 'blue',
    lanes: {},
    decisions: [turned],
    history: [{ ...end, outcome: 'rolledBack', text: reason.text }],
    release: {
      id: 7,
      candidate: 'green',
      former: 'blue',
      plan: {},
      revision: { id: 'b'.repeat(64), template: { services: { proxy: { env } } } },
      state: { live: 'blue', phase: { kind: 'rolledBack', since: 5_000, reason, backlog: 0 } },
    },
  };
}
