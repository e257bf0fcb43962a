import type {
  PermitRequest,
  PermitResult,
  RateLimitStore,
  StoreRule,
  TakeAnswer,
  TakeRequest,
  TakeResult,
} from '@temper/ratelimit/shared';
import type { Keys } from './keys.ts';
import { ANNOUNCE, RENEW_PERMITS, RETURN_PERMITS, TAKE_PERMITS } from './scripts/permits.ts';
import { GIVE_BACK, TAKE_SCHEDULED } from './scripts/schedule.ts';
import type { Script } from './scripts/script.ts';
import { TAKE_FIXED, TAKE_SLIDING } from './scripts/windows.ts';

/** Runs a script under the guard. */
export type RunScript = (
  script: Script,
  key: string,
  args: readonly (string | number)[],
) => Promise<unknown>;

type Parameters<K extends keyof RateLimitStore> = Parameter<RateLimitStore[K]>;
type Parameter<F> = F extends (request: infer R) => unknown ? R : never;

const US = 1000;

/** The limits of `@temper/ratelimit` on a Redis server. */
export class RedisRateLimits implements RateLimitStore {
  readonly #run: RunScript;
  readonly #keys: Keys;

  constructor(run: RunScript, keys: Keys) {
    this.#run = run;
    this.#keys = keys;
  }

  async take({ limiter, key, rule, calls }: TakeRequest): Promise<TakeResult> {
    const name = this.#keys.of(kindOf(rule), limiter, key);
    switch (rule.kind) {
      case 'token-bucket':
      case 'gcra': {
        const args = calls.flatMap(({ cost, maxWaitMs }) => [cost, Math.min(1e18, maxWaitMs * US)]);
        const head = [(rule.windowMs / rule.limit) * US, rule.burst];
        return scheduled(await this.#run(TAKE_SCHEDULED, name, [...head, ...args]));
      }
      case 'sliding-window': {
        const head = [rule.limit, (rule.windowMs / rule.segments) * US, rule.segments];
        const args = [...head, ...calls.map(({ cost }) => cost)];
        return windowed(await this.#run(TAKE_SLIDING, name, args));
      }
      case 'fixed-window': {
        const args = [rule.limit, rule.windowMs * US, ...calls.map(({ cost }) => cost)];
        return windowed(await this.#run(TAKE_FIXED, name, args));
      }
    }
  }

  async giveBack({ limiter, key, rule, cost, receipt }: Parameters<'giveBack'>): Promise<void> {
    const by = cost * (rule.windowMs / rule.limit) * US;
    await this.#run(GIVE_BACK, this.#keys.of(kindOf(rule), limiter, key), [receipt, by]);
  }

  async takePermits(request: PermitRequest): Promise<PermitResult> {
    const { limiter, key, lease, cost, limit, leaseMs } = request;
    const args = [lease, cost, limit, leaseMs * US];
    const reply = await this.#run(TAKE_PERMITS, this.#permits(limiter, key), args);
    const [granted, inUse, expiry] = (reply as unknown[]).map(Number);
    return { granted: granted === 1, inUse: inUse!, expiryMs: expiry! / US };
  }

  async renewPermits(request: Parameters<'renewPermits'>): Promise<readonly string[]> {
    const { limiter, key, leases, leaseMs } = request;
    const args = [leaseMs * US, ...leases];
    const reply = await this.#run(RENEW_PERMITS, this.#permits(limiter, key), args);
    return (reply as unknown[]).map(String);
  }

  async returnPermits({ limiter, key, lease }: Parameters<'returnPermits'>): Promise<void> {
    await this.#run(RETURN_PERMITS, this.#permits(limiter, key), [lease]);
  }

  async announce({ limiter, node, ttlMs }: Parameters<'announce'>): Promise<number> {
    return Number(await this.#run(ANNOUNCE, this.#keys.of('nodes', limiter), [node, ttlMs * US]));
  }

  #permits(limiter: string, key: string): string {
    return this.#keys.of('permits', limiter, key);
  }
}

/** Token bucket and GCRA are the same schedule: one may replace the other on a key. */
const kindOf = ({ kind }: StoreRule): string =>
  kind === 'token-bucket' || kind === 'gcra' ? 'schedule' : kind;

function scheduled(reply: unknown): TakeResult {
  const [remaining, reset, ...rest] = reply as unknown[];
  const answers: TakeAnswer[] = [];
  for (let i = 0; i < rest.length; i += 2) {
    const wait = Number(rest[i]);
    answers.push(
      wait >= 0
        ? { taken: true, waitMs: wait / US, receipt: String(rest[i + 1]) }
        : { taken: false, retryAfterMs: -wait / US },
    );
  }
  return { answers, remaining: Number(remaining), resetMs: Number(reset) / US };
}

function windowed(reply: unknown): TakeResult {
  const [remaining, reset, ...waits] = reply as unknown[];
  const answers = waits.map((text): TakeAnswer => {
    const wait = Number(text);
    return wait >= 0
      ? { taken: true, waitMs: 0, receipt: '' }
      : { taken: false, retryAfterMs: -wait / US };
  });
  return { answers, remaining: Number(remaining), resetMs: Number(reset) / US };
}
