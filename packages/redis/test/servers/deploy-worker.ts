// One process of a deploy: asks limits of a cluster about its keys, and reports each call that passes.
import { isTemperError } from '@temper/core';
import { type SharedRateLimiter, sharedRateLimit } from '@temper/ratelimit/shared';
import { redisStore } from '@temper/redis';
import { connectToCluster } from '../redis-cluster.ts';
import type { DeployOrders, DeployReport } from './deploy-fleet.ts';

const {
  process: number,
  kind,
  ports,
  limits,
  keys,
  everyMs,
} = JSON.parse(process.argv[2] ?? '') as DeployOrders;

const { client } = await connectToCluster(kind, ports);
// Many processes on few cores are slow; a master that is gone is noticed at once all the same.
const store = redisStore({ client, commandTimeoutMs: 2000, openDurationMs: 500 });
const limiters = limits.map(({ rule, ...limit }): [string, SharedRateLimiter] => [
  limit.name,
  sharedRateLimit({ ...limit, ...rule, store }),
]);

const now = (): number => performance.timeOrigin + performance.now();
const report = (what: DeployReport): void => void process.send?.(what);

async function ask(name: string, limiter: SharedRateLimiter, key: string): Promise<void> {
  const sent = now();
  try {
    const { allowed } = await limiter.take({ key });
    const quiet = key.startsWith('quiet');
    if (!quiet) report({ kind: allowed ? 'passed' : 'held', name, key, sent, at: now() });
    else if (!allowed) report({ kind: 'refused', name, key, sent, at: now() });
  } catch (error) {
    const code = isTemperError(error) ? error.code : String(error);
    report({ kind: 'error', name, key: code, sent, at: now() });
  }
}

const names = new Map(limiters);
// Connected, and counted.
await Promise.all(limiters.map(([, limiter], i) => limiter.peek({ key: `start-${number}-${i}` })));
report({ kind: 'ready', name: '', key: '', sent: now(), at: now() });
let asked = 0;
setInterval(() => {
  for (const [name, key] of keys) void ask(name, names.get(name)!, key);
  // A key of its own, used once: whatever happens to the limits, it passes.
  for (const [name, limiter] of limiters) {
    void ask(name, limiter, `quiet-${number}-${process.pid}-${asked++}`);
  }
}, everyMs);
