import type {
  PermitRequest,
  PermitResult,
  RateChange,
  RateLimitStore,
  StoreRule,
  TakeAnswer,
  TakeRequest,
  TakeResult,
} from '@temper/ratelimit/shared';
import type { Keys } from './keys.ts';
import { ReplyReader } from './replies.ts';
import { ANNOUNCE, RENEW_PERMITS, RETURN_PERMITS, TAKE_PERMITS } from './scripts/permits.ts';
import { CHANGE, GIVE_BACK, TAKE, TAKE_FAIR } from './scripts/rate.ts';
import type { Script } from './scripts/script.ts';

/** Runs a script under the guard. */
export type RunScript = (
  script: Script,
  key: string,
  args: readonly (string | number)[],
  /** A second key, of the same slot. */
  besides?: string,
) => Promise<unknown>;

type Parameters<K extends keyof RateLimitStore> = Parameter<RateLimitStore[K]>;
type Parameter<F> = F extends (request: infer R) => unknown ? R : never;

const US = 1000;

/** Longest wait that is sent, in microseconds: it stays a whole number in any client. */
const LONGEST_US = 1e15;

/** The limits of `@temper/ratelimit` on a Redis server. */
export class RedisRateLimits implements RateLimitStore {
  readonly #run: RunScript;
  readonly #keys: Keys;

  constructor(run: RunScript, keys: Keys) {
    this.#run = run;
    this.#keys = keys;
  }

  async take({ limiter, key, rule, calls }: TakeRequest): Promise<TakeResult> {
    const args: (number | string)[] = ruleArguments(rule);
    const fair = calls[0]?.caller !== undefined;
    for (const { cost, maxWaitMs, caller = '', weight = 1 } of calls) {
      args.push(cost, us(maxWaitMs));
      if (fair) args.push(caller, weight);
    }
    const state = this.#rate(limiter, key);
    const reply = await (fair
      ? this.#run(TAKE_FAIR, state, args, this.#keys.of('callers', limiter, key))
      : this.#run(TAKE, state, args));
    const read = new ReplyReader('take');
    const each = fair ? 3 : 2;
    const list = readState(read, reply, 2 + each * calls.length);
    return {
      answers: calls.map((_, i): TakeAnswer => {
        const at = 2 + each * i;
        const wait = read.number(list[at]);
        const receipt = read.text(list[at + 1]);
        if (receipt !== '') return { taken: true, waitMs: wait / US, receipt };
        if (!fair) return { taken: false, retryAfterMs: -wait / US };
        const askAgainMs = read.number(list[at + 2]) / US;
        return { taken: false, retryAfterMs: -wait / US || askAgainMs, askAgainMs };
      }),
      remaining: read.number(list[0]),
      resetMs: read.number(list[1]) / US,
    };
  }

  async giveBack({ limiter, key, rule, cost, receipt }: Parameters<'giveBack'>): Promise<void> {
    const args = [...ruleArguments(rule), receipt, cost];
    const reply = await this.#run(GIVE_BACK, this.#rate(limiter, key), args);
    readState(new ReplyReader('giveBack'), reply, 1);
  }

  async change({ limiter, key, rule, change }: Parameters<'change'>): Promise<void> {
    const args = [...ruleArguments(rule), change.kind, amountOf(change)];
    const callers = this.#keys.of('callers', limiter, key);
    const reply = await this.#run(CHANGE, this.#rate(limiter, key), args, callers);
    readState(new ReplyReader('change'), reply, 1);
  }

  async takePermits({ limiter, key, calls, limit, leaseMs }: PermitRequest): Promise<PermitResult> {
    const args = [limit, us(leaseMs), ...calls.flatMap(({ lease, cost }) => [lease, cost])];
    const reply = await this.#run(TAKE_PERMITS, this.#permits(limiter, key), args);
    const read = new ReplyReader('takePermits');
    const [granted, inUse, expiry] = read.list(reply, 3);
    return {
      granted: read.number(granted),
      inUse: read.number(inUse),
      expiryMs: read.number(expiry) / US,
    };
  }

  async renewPermits(request: Parameters<'renewPermits'>): Promise<readonly string[]> {
    const { limiter, key, leases, leaseMs } = request;
    const args = [us(leaseMs), ...leases];
    const reply = await this.#run(RENEW_PERMITS, this.#permits(limiter, key), args);
    const read = new ReplyReader('renewPermits');
    return read.list(reply, 0).map((lease) => read.text(lease));
  }

  async returnPermits(request: Parameters<'returnPermits'>): Promise<void> {
    const { limiter, key, leases, leaseMs } = request;
    await this.#run(RETURN_PERMITS, this.#permits(limiter, key), [us(leaseMs), ...leases]);
  }

  async announce({ limiter, node, ttlMs }: Parameters<'announce'>): Promise<number> {
    const reply = await this.#run(ANNOUNCE, this.#keys.of('nodes', limiter), [node, us(ttlMs)]);
    return new ReplyReader('announce').number(reply);
  }

  #rate(limiter: string, key: string): string {
    return this.#keys.of('rate', limiter, key);
  }

  #permits(limiter: string, key: string): string {
    return this.#keys.of('permits', limiter, key);
  }
}

/** Kind, limit, microseconds of the window, and burst or segments. Bucket and GCRA are one rule. */
function ruleArguments(rule: StoreRule): number[] {
  const { limit } = rule;
  const window = rule.windowMs * US;
  if ('burst' in rule) return [1, limit, window, rule.burst];
  return 'segments' in rule ? [2, limit, window, rule.segments] : [3, limit, window, 0];
}

function amountOf(change: RateChange): number {
  if (change.kind === 'reset') return 0;
  return change.kind === 'block' ? us(change.durationMs) : change.units;
}

/** Whole microseconds. */
function us(ms: number): number {
  return Math.ceil(Math.min(ms * US, LONGEST_US));
}

/** The reply of a script on the state of a rate limit. @throws {TypeError} when it is not one */
function readState(read: ReplyReader, reply: unknown, length: number): readonly unknown[] {
  const [first] = read.list(reply, 1);
  if (read.number(first) >= 0) return read.list(reply, length);
  throw new TypeError(
    'The state of this limit was written by another version of Temper or by another program.',
  );
}
