import { isTemperError } from '@temper/core';
import { type RuleKind, type SharedRateLimiter, sharedRateLimit } from '@temper/ratelimit/shared';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { redisStore } from '../../src/index.ts';
import { CLIENT_KINDS, type Connection, connectTo } from '../clients.ts';
import { describeWithRedis, RedisServer } from '../redis-server.ts';
import { mostWithin, wanted } from './fleet.ts';
import { Stalls } from './stalls.ts';

const PROCESSES = 8;
const OLD = { limit: 80, windowMs: 1000 };
const NEW = { limit: 160, windowMs: 1000 };
/** Calls per process and second: more than the new limit in all. */
const CALLS = 40;
/** How late anything may be on a machine that does not stall. */
const SLACK_MS = 400;

let server: RedisServer;
let connections: Connection[];
beforeEach(async () => {
  server = await RedisServer.start();
  connections = [];
  for (let i = 0; i < PROCESSES; i++) {
    connections.push(await connectTo(CLIENT_KINDS[i % 2]!, server.port));
  }
});
afterEach(async () => {
  for (const connection of connections) await connection.close();
  await server.stop();
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describeWithRedis('a rolling deploy with a new limit', () => {
  it.each<RuleKind>(['token-bucket', 'sliding-window', 'fixed-window'])(
    'of eight processes, and the loss of the server: %s',
    async (algorithm) => {
      const burst = algorithm === 'token-bucket' ? { burst: 10 } : {};
      const create = (process: number, rule: typeof OLD): SharedRateLimiter =>
        sharedRateLimit({
          name: 'api',
          store: redisStore({ client: connections[process]!.client, openDurationMs: 200 }),
          algorithm,
          ...rule,
          ...burst,
          nodes: PROCESSES,
        });
      const fleet = connections.map((_, i) => create(i, OLD));
      const passed: number[] = [];
      const asked: number[] = [];
      using stalls = new Stalls();
      const errors = new Set<string>();
      let quietRefused = 0;
      let going = true;
      const caller = async (process: number): Promise<void> => {
        for (let n = 0; going; n++) {
          try {
            asked.push(performance.now());
            const { allowed } = await fleet[process]!.take({ key: 'busy' });
            if (allowed) passed.push(performance.now());
            // A key of its own, used once: whatever happens to the limit, it passes.
            const quiet = await fleet[process]!.take({ key: `quiet-${process}-${n}` });
            if (!quiet.allowed) quietRefused++;
          } catch (error) {
            errors.add(isTemperError(error) ? error.code : String(error));
          }
          await pause(1000 / CALLS);
        }
      };
      const callers = fleet.map((_, i) => caller(i));
      const begin = performance.now();
      await pause(2000);
      // Half of the processes start again with the new limit, one after the other.
      for (let i = 0; i < PROCESSES / 2; i++) {
        fleet[i]![Symbol.dispose]();
        fleet[i] = create(i, NEW);
        await pause(250);
      }
      await pause(1000);
      const lost = performance.now();
      await server.kill();
      await pause(1000);
      await server.up();
      await pause(2000);
      const back = performance.now();
      going = false;
      await Promise.all(callers);

      const slackMs = SLACK_MS + stalls.worstMs;
      expect(quietRefused).toBe(0);
      expect([...errors]).toEqual([]);
      // Before the loss, no more than the larger rule allows, whichever of the two was asked.
      const before = passed.filter((at) => at < lost);
      const most = (algorithm === 'token-bucket' ? 10 : NEW.limit) + NEW.limit;
      expect(mostWithin(before, 1000)).toBeLessThanOrEqual(most + (NEW.limit * slackMs) / 1000);
      expect(before.length).toBeLessThanOrEqual(
        most + (NEW.limit * (lost - begin + slackMs)) / 1000,
      );
      // The limit is used: neither the change nor the loss makes the fleet refuse what may pass.
      expect(before.length).toBeGreaterThan(0.5 * wanted(asked, begin, lost, OLD.limit));
      const after = passed.filter((at) => at > back - 1000);
      expect(after.length).toBeGreaterThan(0.5 * wanted(asked, back - 1000, back, OLD.limit));
      // The local shares, and a limit that starts anew, add a burst each.
      const since = passed.filter((at) => at >= lost).length;
      expect(since).toBeLessThanOrEqual(
        2 * most + PROCESSES + (NEW.limit * (back - lost + slackMs)) / 1000,
      );
    },
  );
});
