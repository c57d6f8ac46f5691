import { openMemoryMetrics } from './memory.ts';
import { describeMetrics } from './metrics.contract.ts';

describeMetrics('memory', async () => {
  const metrics = openMemoryMetrics();
  return {
    metrics,
    request: async (lane, way, outcome) => metrics.count(lane, way, outcome),
    restart: async () => metrics.reset(),
    async [Symbol.asyncDispose]() {},
  };
});
