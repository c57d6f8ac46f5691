/** Loaded into Jest's workers before all else: one whose parent is gone ends at once, and the servers of its tests with it. */
if (process.env.JEST_WORKER_ID !== undefined && process.connected) {
  process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
}
