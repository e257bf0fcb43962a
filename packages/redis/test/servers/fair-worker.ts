// One process of a fleet in which one caller has 100 calls waiting, and others ask now and then.
import { fairQueue } from '@temper/ratelimit';
import { sharedRateLimit } from '@temper/ratelimit/shared';
import { redisStore } from '@temper/redis';
import { type ClientKind, connectTo } from '../clients.ts';
import type { FairOrders, FairReport } from './fair.test.ts';

const orders = JSON.parse(process.argv[2] ?? '') as FairOrders;
const connection = await connectTo(orders.kind as ClientKind, orders.port);
const limiter = sharedRateLimit({
  name: 'fair',
  store: redisStore({ client: connection.client, commandTimeoutMs: 10_000 }),
  queue: fairQueue(),
  limit: orders.limit,
  windowMs: 1000,
  burst: 1,
});

process.send?.('ready');
await new Promise((resolve) => process.once('message', resolve));

const end = performance.now() + orders.runMs;
let greedy = 0;
for (let i = 0; i < orders.waiting; i++) {
  void (async () => {
    for (;;) {
      await limiter.acquire({ key: 'greedy' });
      if (performance.now() >= end) return;
      greedy++;
    }
  })();
}
const modest = await Promise.all(
  orders.modest.map(async (key) => {
    let passed = 0;
    let latestMs = 0;
    await new Promise((resolve) => setTimeout(resolve, orders.warmUpMs));
    while (performance.now() < end) {
      const since = performance.now();
      await limiter.acquire({ key });
      passed++;
      latestMs = Math.max(latestMs, performance.now() - since);
      await new Promise((resolve) => setTimeout(resolve, orders.pauseMs));
    }
    return { passed, latestMs };
  }),
);
const { storeErrors } = limiter.stats();
const report: FairReport = { greedy, modest, storeErrors };
process.send?.(report, () => process.exit(0));
