/** Loaded into Jest's workers before all else: one whose parent is gone ends at once, and the servers of its tests with it. */
if (process.env.JEST_WORKER_ID !== undefined && process.connected) {
  const end = () => process.kill(process.pid, 'SIGKILL');
  process.once('disconnect', end);
  // Who listens for that keeps the channel open: a worker that Jest has told to end, and listens to no more, must not.
  process.on('removeListener', (name) => {
    if (name === 'message' && process.listenerCount('message') === 0) process.off('disconnect', end);
  });
}
