import type { Clock } from '@temper/core';
import { listenForAbort, type Scheduled, stopListening } from '@temper/core/policy';
import type { RateLimitExceededError } from '../../errors.ts';
import { wholeMs } from '../../rules/forecast.ts';
import { type GroupAnswer, type GroupPart, refusalOf, worstOf } from './group-ask.ts';

/** Thrown with a refusal, so that it is counted at the limit that refuses. */
export class GroupRefusal extends Error {
  readonly part: GroupPart;
  readonly refusal: RateLimitExceededError;

  constructor(answer: GroupAnswer, reason: 'queue-full' | 'deadline' | 'limit' | 'cost') {
    super('Refused.');
    this.part = answer.part;
    this.refusal = refusalOf(answer, reason);
  }
}

/** Asks the limits, as of `takeOfAll`. */
export type Ask = (
  parts: readonly GroupPart[],
  maxWaitMs: number,
) => Promise<readonly GroupAnswer[]>;

/** A call that waits for several limits, and holds nothing of any. */
interface Waiter {
  readonly parts: readonly GroupPart[];
  readonly deadline: number;
  /** The limits that calls behind it are not asked for, the last one being what it waits for. */
  readonly claims: string[];
  /** What it was refused by. */
  refused: GroupAnswer;
  /** When to ask again. */
  askAt: number;
  asking: boolean;
  left: boolean;
  readonly resolve: (answers: readonly GroupAnswer[]) => void;
  readonly reject: (reason: unknown) => void;
}

/** Shortest time until a store is asked again, in milliseconds, whatever it says. */
const MIN_RETRY_MS = 1;
/** When to ask again of a limit that does not say, in milliseconds. */
const POLL_MS = 50;
/** Longest time until the system's timers fire, in milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * The calls of this process that wait until all their limits have units, as `JointQueue` of `allOf`: they hold
 * nothing meanwhile, and claim the limit that they lack units of for longest. Calls behind them are not asked
 * about that limit, and can have all others. Per claimed limit, one request is under way at a time.
 */
export class GroupQueue {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #ask: Ask;
  readonly #waiters = new Set<Waiter>();
  #claimed: ReadonlySet<string> = new Set();
  #timer: Scheduled | undefined;

  constructor(clock: Clock, max: number, ask: Ask) {
    this.#clock = clock;
    this.#max = max;
    this.#ask = ask;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** The limit for which calls of this process wait that come first. */
  behind(parts: readonly GroupPart[]): GroupPart | undefined {
    return this.size === 0 ? undefined : parts.find(({ id }) => this.#claimed.has(id));
  }

  /** Units may have come back: asks again without waiting until the time that a store gave. */
  wake(): void {
    if (this.size === 0) return;
    for (const waiter of this.#waiters) waiter.askAt = Number.NEGATIVE_INFINITY;
    this.#serve();
  }

  /**
   * Waits until all limits have units. Owns them until the promise is fulfilled.
   *
   * @param refused - why the call has to wait
   * @param deadline - on the clock's monotonic scale; `Infinity` for none
   * @throws {GroupRefusal} (as a rejection) when the queue is full, or the units would come after the deadline
   * @throws `signal.reason` (as a rejection) when the signal aborts
   */
  async join(
    parts: readonly GroupPart[],
    refused: GroupAnswer,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly GroupAnswer[]> {
    if (signal?.aborted === true) throw signal.reason;
    const now = this.#clock.monotonic();
    if (this.size >= this.#max) throw new GroupRefusal(refused, 'queue-full');
    if (deadline <= now || isLate(refused, now, deadline)) {
      throw new GroupRefusal(refused, 'deadline');
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        waiter.left = true;
        this.#waiters.delete(waiter);
        stopListening(signal, onAbort);
      };
      const onAbort = (): void => {
        waiter.reject(signal?.reason);
        this.#serve();
      };
      const waiter: Waiter = {
        parts,
        deadline,
        claims: [refused.part.id],
        refused,
        askAt: askAtOf(refused, now),
        asking: false,
        left: false,
        resolve: (answers) => {
          leave();
          resolve(answers);
        },
        reject: (reason) => {
          leave();
          reject(reason);
        },
      };
      if (signal !== undefined) listenForAbort(signal, onAbort);
      this.#waiters.add(waiter);
      this.#serve();
    });
  }

  #serve(): void {
    const now = this.#clock.monotonic();
    const claimed = new Set<string>();
    let nextAt = Number.POSITIVE_INFINITY;
    for (const waiter of this.#waiters) {
      const behind = waiter.parts.some(({ id }) => claimed.has(id));
      if (!behind && !waiter.asking && waiter.askAt <= now) void this.#askFor(waiter, now);
      if (!waiter.asking && waiter.deadline <= now) {
        waiter.reject(new GroupRefusal(waiter.refused, 'deadline'));
        continue;
      }
      for (const id of waiter.claims) claimed.add(id);
      if (waiter.asking) continue;
      nextAt = Math.min(nextAt, waiter.deadline);
      if (!behind) nextAt = Math.min(nextAt, waiter.askAt);
    }
    this.#claimed = claimed;
    this.#arm(nextAt, now);
  }

  /** Never rejects. */
  async #askFor(waiter: Waiter, since: number): Promise<void> {
    waiter.asking = true;
    try {
      const answers = await this.#ask(waiter.parts, Math.max(0, waiter.deadline - since));
      waiter.asking = false;
      this.#answered(waiter, answers);
    } catch (error) {
      waiter.asking = false;
      if (!waiter.left) waiter.reject(error);
    }
    this.#serve();
  }

  #answered(waiter: Waiter, answers: readonly GroupAnswer[]): void {
    const refused = worstOf(answers);
    if (refused === undefined) {
      if (waiter.left) for (const { undo } of answers) undo();
      else waiter.resolve(answers);
      return;
    }
    if (waiter.left) return;
    const now = this.#clock.monotonic();
    waiter.refused = refused;
    const { cost, member, key } = refused.part;
    // The limit was lowered since.
    if (cost > member.backend.capacity(key)) waiter.reject(new GroupRefusal(refused, 'cost'));
    else if (isLate(refused, now, waiter.deadline)) {
      waiter.reject(new GroupRefusal(refused, 'deadline'));
    } else {
      claim(waiter, refused.part.id);
      waiter.askAt = askAtOf(refused, now);
    }
  }

  #arm(at: number, now: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (at === Number.POSITIVE_INFINITY) return;
    const ms = Math.min(LONGEST_MS, wholeMs(Math.max(0, at - now)));
    this.#timer = this.#clock.schedule(() => {
      this.#timer = undefined;
      this.#serve();
    }, ms);
  }
}

function isLate({ decision }: GroupAnswer, now: number, deadline: number): boolean {
  return now + (decision.retryAfterMs ?? 0) > deadline;
}

function askAtOf({ askAgainMs, decision }: GroupAnswer, now: number): number {
  return now + Math.max(MIN_RETRY_MS, askAgainMs ?? decision.retryAfterMs ?? POLL_MS);
}

/** A limit that others have emptied again is claimed alone: the rest must not wait for it. */
function claim({ claims }: Waiter, id: string): void {
  if (claims.at(-1) === id) return;
  if (claims.includes(id)) claims.length = 0;
  claims.push(id);
}
