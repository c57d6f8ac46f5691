const clearings = new Set<() => Promise<void>>();

/** `clear`, done once: when it is called, or when this process is interrupted before. */
export function clearing(clear: () => Promise<void>): () => Promise<void> {
  const once = async () => {
    if (clearings.delete(once)) await clear();
  };
  clearings.add(once);
  return once;
}

/** From now on Ctrl-C and SIGTERM take away what was set up, and then end this process. */
export function clearWhenInterrupted(): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, async () => {
      process.stdout.write('interrupted: taking away what was set up\n');
      await Promise.allSettled([...clearings].map((clear) => clear()));
      process.exit(code);
    });
  }
}
