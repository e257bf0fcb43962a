// One process of a fleet: takes turns from a shared limit, and reports when each came.
import { type RateLimitStore, sharedRateLimit, type TakeResult } from '@temper/ratelimit/shared';
import { redisStore } from '@temper/redis';
import { type ClientKind, connectTo } from '../clients.ts';
import type { WorkerOrders, WorkerReport } from './fleet.ts';

const orders = JSON.parse(process.argv[2] ?? '') as WorkerOrders;
const { kind, port, acquires, atATime, rule } = orders;

const connection = await connectTo(kind as ClientKind, port);
// Ten processes on two cores are slow; another test covers a slow server.
const store = redisStore({ client: connection.client, commandTimeoutMs: 10_000 });

/** Milliseconds on one scale for all processes of a machine. */
const now = (): number => performance.timeOrigin + performance.now();

/** The earliest times that the server can have meant. */
const due: number[] = [];
/** The place of each turn in the server's schedule, in microseconds of its clock. */
const places: number[] = [];
const watched: RateLimitStore = Object.assign(Object.create(store) as RateLimitStore, {
  take: async (request: Parameters<RateLimitStore['take']>[0]): Promise<TakeResult> => {
    const sent = now();
    const result = await store.take(request);
    for (const answer of result.answers) {
      if (!answer.taken) continue;
      due.push(sent + answer.waitMs);
      if (answer.receipt !== '') places.push(Number(answer.receipt));
    }
    return result;
  },
});
const limiter = sharedRateLimit({ name: 'fleet', store: watched, ...rule });

process.send?.('ready');
await new Promise((resolve) => process.once('message', resolve));

const released: number[] = [];
let left = acquires;
async function caller(): Promise<void> {
  while (left > 0) {
    left--;
    await limiter.acquire();
    released.push(now());
  }
}
await Promise.all(Array.from({ length: atATime }, caller));

due.sort((a, b) => a - b);
const latest = released.map((at, i) => at - due[i]!);
const { storeErrors, allowed, delayed } = limiter.stats();
const report: WorkerReport = {
  released,
  places,
  latenessMs: Math.max(...latest),
  storeErrors,
  got: allowed + delayed,
};
process.send?.(report, () => process.exit(0));
