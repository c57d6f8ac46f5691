import type { Lane } from '../lane.ts';
import { openMemoryTraffic } from './memory.ts';
import { describeTrafficRouter } from './traffic.contract.ts';

describeTrafficRouter(
  'memory',
  async () => {
    const router = openMemoryTraffic();
    const stopped = new Set<Lane>();
    return {
      router,
      async send(headers = {}) {
        const lane = router.route(
          Object.fromEntries(Object.entries(headers).map(([key, value]) => [key.toLowerCase(), value])),
        );
        return { status: lane === undefined || stopped.has(lane) ? 503 : 200, lane };
      },
      async stop(lane) {
        stopped.add(lane);
      },
      async [Symbol.asyncDispose]() {},
    };
  },
  { standStill: 'what it says of its weights is what it does with the next request' },
);
