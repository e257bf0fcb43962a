import type {
  JointRequest,
  JointResult,
  PermitRequest,
  PermitResult,
  RateChange,
  RateLimitStore,
  StoreKey,
  StoreRule,
  TakeAnswer,
  TakeRequest,
  TakeResult,
} from '@temper/ratelimit/shared';
import type { Keys } from './keys.ts';
import { ReplyReader } from './replies.ts';
import { JOINT_KIND, TAKE_ALL } from './scripts/joint.ts';
import { ANNOUNCE, RENEW_PERMITS, RETURN_PERMITS, TAKE_PERMITS } from './scripts/permits.ts';
import { CHANGE, GIVE_BACK, TAKE, TAKE_FAIR } from './scripts/rate.ts';
import type { Script } from './scripts/script.ts';
import { CROSS_SLOT } from './shards.ts';

/** Runs a script under the guard. */
export type RunScript = (
  script: Script,
  /** One key, or several of one slot. */
  keys: string | readonly [string, ...string[]],
  args: readonly (string | number)[],
) => Promise<unknown>;

type Parameters<K extends keyof RateLimitStore> = Parameter<NonNullable<RateLimitStore[K]>>;
type Parameter<F> = F extends (request: infer R) => unknown ? R : never;

const US = 1000;

/** Longest wait that is sent, in microseconds: it stays a whole number in any client. */
const LONGEST_US = 1e15;

/** The limits of `@temper/ratelimit` on a Redis server. */
export class RedisRateLimits implements RateLimitStore {
  readonly #run: RunScript;
  readonly #keys: Keys;
  readonly #share: (keys: readonly string[]) => boolean;

  /** @param share - whether these keys can be used in one script */
  constructor(run: RunScript, keys: Keys, share: (keys: readonly string[]) => boolean) {
    this.#run = run;
    this.#keys = keys;
    this.#share = share;
  }

  async take(request: TakeRequest): Promise<TakeResult> {
    const args = takeArguments(request);
    const reply = await (isFair(request)
      ? this.#run(TAKE_FAIR, this.#fairKeys(request), args)
      : this.#run(TAKE, this.#rate(request), args));
    return readTaken(new ReplyReader('take'), reply, request);
  }

  async takeAll({ rates, permits }: JointRequest): Promise<JointResult | undefined> {
    const keys: string[] = [];
    const args: (number | string)[] = [];
    for (const each of rates) {
      keys.push(...(isFair(each) ? this.#fairKeys(each) : [this.#rate(each)]));
      args.push(isFair(each) ? JOINT_KIND.fairRate : JOINT_KIND.rate, ...takeArguments(each));
    }
    for (const each of permits) {
      keys.push(this.#permits(each));
      args.push(JOINT_KIND.permits, ...permitArguments(each));
    }
    if (!this.#share(keys)) return undefined;
    const reply = await this.#run(TAKE_ALL, keys as [string, ...string[]], args);
    if (reply === CROSS_SLOT) return undefined;
    const read = new ReplyReader('takeAll');
    const [first, ...replies] = readState(read, reply, 1 + rates.length + permits.length);
    const taken = read.number(first) === 1;
    return {
      taken,
      rates: rates.map((each, i) => readTaken(read, replies[i], each)),
      permits: permits.map((_, i) => readPermits(read, replies[rates.length + i], taken)),
    };
  }

  async giveBack({ limiter, key, rule, cost, receipt }: Parameters<'giveBack'>): Promise<void> {
    const args = [...ruleArguments(rule), receipt, cost];
    const reply = await this.#run(GIVE_BACK, this.#rate({ limiter, key }), args);
    readState(new ReplyReader('giveBack'), reply, 1);
  }

  async change({ limiter, key, rule, change }: Parameters<'change'>): Promise<void> {
    const args = [...ruleArguments(rule), change.kind, amountOf(change)];
    const reply = await this.#run(CHANGE, this.#fairKeys({ limiter, key }), args);
    readState(new ReplyReader('change'), reply, 1);
  }

  async takePermits(request: PermitRequest): Promise<PermitResult> {
    const reply = await this.#run(TAKE_PERMITS, this.#permits(request), permitArguments(request));
    return readPermits(new ReplyReader('takePermits'), reply, true);
  }

  async renewPermits(request: Parameters<'renewPermits'>): Promise<readonly string[]> {
    const { limiter, key, leases, leaseMs } = request;
    const args = [us(leaseMs), ...leases];
    const reply = await this.#run(RENEW_PERMITS, this.#permits({ limiter, key }), args);
    const read = new ReplyReader('renewPermits');
    return read.list(reply, 0).map((lease) => read.text(lease));
  }

  async returnPermits(request: Parameters<'returnPermits'>): Promise<void> {
    const { limiter, key, leases, leaseMs } = request;
    await this.#run(RETURN_PERMITS, this.#permits({ limiter, key }), [us(leaseMs), ...leases]);
  }

  async announce({ limiter, node, ttlMs }: Parameters<'announce'>): Promise<number> {
    const reply = await this.#run(ANNOUNCE, this.#keys.of('nodes', limiter), [node, us(ttlMs)]);
    return new ReplyReader('announce').number(reply);
  }

  #rate({ limiter, key }: StoreKey): string {
    return this.#keys.of('rate', limiter, key);
  }

  /** The state, and what callers have had of it. */
  #fairKeys({ limiter, key }: StoreKey): readonly [string, string] {
    return [this.#rate({ limiter, key }), this.#keys.of('callers', limiter, key)];
  }

  #permits({ limiter, key }: StoreKey): string {
    return this.#keys.of('permits', limiter, key);
  }
}

/** Whether the calls name their callers. */
function isFair({ calls }: TakeRequest): boolean {
  return calls[0]?.caller !== undefined;
}

function takeArguments(request: TakeRequest): (number | string)[] {
  const args: (number | string)[] = ruleArguments(request.rule);
  const fair = isFair(request);
  for (const { cost, maxWaitMs, caller = '', weight = 1 } of request.calls) {
    args.push(cost, us(maxWaitMs));
    if (fair) args.push(caller, weight);
  }
  return args;
}

function permitArguments({ limit, leaseMs, calls }: PermitRequest): (number | string)[] {
  return [limit, us(leaseMs), ...calls.flatMap(({ lease, cost }) => [lease, cost])];
}

function readTaken(read: ReplyReader, reply: unknown, request: TakeRequest): TakeResult {
  const { calls } = request;
  const fair = isFair(request);
  const each = fair ? 3 : 2;
  const list = readState(read, reply, 2 + each * calls.length);
  return {
    answers: calls.map((_, i): TakeAnswer => {
      const at = 2 + each * i;
      const wait = read.number(list[at]);
      const receipt = read.text(list[at + 1]);
      if (receipt !== '') return { taken: true, waitMs: wait / US, receipt };
      if (!fair) return { taken: false, retryAfterMs: Math.abs(wait) / US };
      const askAgainMs = read.number(list[at + 2]) / US;
      return { taken: false, retryAfterMs: Math.abs(wait) / US || askAgainMs, askAgainMs };
    }),
    remaining: read.number(list[0]),
    resetMs: read.number(list[1]) / US,
  };
}

/** @param taken - whether the permits that fit were taken */
function readPermits(read: ReplyReader, reply: unknown, taken: boolean): PermitResult {
  const [granted, inUse, expiry] = read.list(reply, 3);
  return {
    granted: taken ? read.number(granted) : 0,
    inUse: read.number(inUse),
    expiryMs: read.number(expiry) / US,
  };
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
