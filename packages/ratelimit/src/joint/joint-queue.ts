import type { Clock } from '@temper/core';
import { listenForAbort, type Scheduled, stopListening } from '@temper/core/policy';
import { wholeMs } from '../rules/forecast.ts';
import type { Watchers } from '../wait/watchers.ts';
import { type JointAsk, type JointParts, refusalBy, type Shortage } from './joint-ask.ts';

/** A call that waits for several limits, and holds nothing of any. */
interface Waiter {
  readonly ask: JointAsk;
  readonly ids: readonly string[];
  readonly watched: readonly Watchers[];
  readonly deadline: number;
  /** Whether others may wait for permits of calls that it is a part of, so that it does not wait for others. */
  readonly isUrgent: () => boolean;
  /** The limits that calls behind it may not use, the last one being what it waits for. */
  readonly claims: string[];
  readonly resolve: (parts: JointParts) => void;
  readonly reject: (reason: unknown) => void;
}

/** Thrown with a refusal, so that it is counted at the limit that refuses. */
export class JointRefusal extends Error {
  readonly shortage: Shortage;
  readonly refusal: ReturnType<typeof refusalBy>;

  constructor(shortage: Shortage, reason: 'queue-full' | 'deadline' | 'limit') {
    super('Refused.');
    this.shortage = shortage;
    this.refusal = refusalBy(shortage, reason);
  }
}

/**
 * Calls that wait until all their limits have units. They hold none of them meanwhile, so that they neither
 * keep units from others nor wait in a circle, and are tried in order of arrival whenever a limit may have room.
 *
 * A call claims the limit that it lacks units of for longest: calls behind it may not use that limit, while they
 * may use the others. When the claimed limit has units and another one lacks them, both are claimed. So the first
 * call passes once each of its limits has had the time to fill, and a user whose own limit is used up
 * does not keep others from a limit that all share.
 */
export class JointQueue {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #waiters = new Set<Waiter>();
  /** What the calls that wait have claimed. */
  #claimed: ReadonlySet<string> = new Set();
  /** How many calls wait for news of each limiter. */
  readonly #watched = new Map<Watchers, number>();
  readonly #serve = (): void => this.#serveAll();
  #serving = false;
  #again = false;
  #timer: Scheduled | undefined;

  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** Takes for a call that does not wait, unless a call that waits comes first. */
  enter(ask: JointAsk): JointParts | Shortage {
    return (this.size > 0 ? ask.behindOthers(this.#claimed) : undefined) ?? ask.take();
  }

  /**
   * Waits until all limits have units.
   *
   * @param deadline - on the clock's monotonic scale; `Infinity` for none
   * @param isUrgent - whether others may wait for permits of calls that the call is a part of
   * @throws {JointRefusal} (as a rejection) when the queue is full, or the units would come after the deadline
   * @throws `signal.reason` (as a rejection) when the signal aborts
   */
  async join(
    ask: JointAsk,
    shortage: Shortage,
    deadline: number,
    signal: AbortSignal | undefined,
    isUrgent: () => boolean,
  ): Promise<JointParts> {
    if (signal?.aborted === true) throw signal.reason;
    const now = this.#clock.monotonic();
    if (this.size >= this.#max) throw new JointRefusal(shortage, 'queue-full');
    if (deadline <= now || now + (shortage.retryAfterMs ?? 0) > deadline) {
      throw new JointRefusal(shortage, 'deadline');
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#leave(waiter);
        reject(signal?.reason);
        this.#serveAll();
      };
      const waiter: Waiter = {
        ask,
        ids: ask.ids,
        watched: ask.members.map(({ watchers }) => watchers),
        deadline,
        isUrgent,
        claims: [],
        resolve: (parts) => {
          stopListening(signal, onAbort);
          resolve(parts);
        },
        reject: (reason) => {
          stopListening(signal, onAbort);
          reject(reason);
        },
      };
      if (signal !== undefined) listenForAbort(signal, onAbort);
      this.#waiters.add(waiter);
      for (const watchers of waiter.watched) {
        const calls = this.#watched.get(watchers) ?? 0;
        if (calls === 0) watchers.add(this.#serve);
        this.#watched.set(watchers, calls + 1);
      }
      this.#serveAll();
    });
  }

  #leave(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    for (const watchers of waiter.watched) {
      const calls = (this.#watched.get(watchers) ?? 1) - 1;
      if (calls > 0) {
        this.#watched.set(watchers, calls);
        continue;
      }
      this.#watched.delete(watchers);
      watchers.delete(this.#serve);
    }
  }

  /** What is taken or counted meanwhile may wake this again. */
  #serveAll(): void {
    this.#again = this.#serving;
    if (this.#serving) return;
    this.#serving = true;
    try {
      do {
        this.#again = false;
        this.#serveOnce();
      } while (this.#again);
    } finally {
      this.#serving = false;
    }
  }

  #serveOnce(): void {
    const now = this.#clock.monotonic();
    const claimed = new Set<string>();
    let nextAt = Number.POSITIVE_INFINITY;
    const waiters = [...this.#waiters];
    const urgent = waiters.filter(({ isUrgent }) => isUrgent());
    const inOrder = urgent.length === 0 ? waiters : [...new Set([...urgent, ...waiters])];
    for (const waiter of inOrder) {
      const behind = !waiter.isUrgent() && waiter.ids.some((id) => claimed.has(id));
      const answer = behind ? undefined : this.#try(waiter);
      if (answer === 'over') continue;
      if (waiter.deadline <= now) {
        this.#expire(waiter, answer ?? waiter.ask.behindOthers(claimed)!);
        continue;
      }
      if (answer !== undefined) {
        claim(waiter, answer.id);
        const { retryAfterMs = Number.POSITIVE_INFINITY } = answer;
        if (retryAfterMs > 0) nextAt = Math.min(nextAt, now + retryAfterMs);
      }
      for (const id of waiter.claims) claimed.add(id);
      nextAt = Math.min(nextAt, waiter.deadline);
    }
    this.#claimed = claimed;
    this.#arm(nextAt, now);
  }

  /** @returns what the call lacks; `over` when it has got everything, or has failed */
  #try(waiter: Waiter): Shortage | 'over' {
    try {
      const answer = waiter.ask.take(waiter.isUrgent());
      if (!('leases' in answer)) {
        if (answer.reason !== 'cost') return answer;
        // The limit was lowered since.
        this.#expire(waiter, answer);
        return 'over';
      }
      this.#leave(waiter);
      waiter.resolve(answer);
    } catch (error) {
      this.#leave(waiter);
      waiter.reject(error);
    }
    return 'over';
  }

  #expire(waiter: Waiter, shortage: Shortage): void {
    this.#leave(waiter);
    waiter.reject(new JointRefusal(shortage, 'deadline'));
  }

  #arm(at: number, now: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.schedule(
      () => {
        this.#timer = undefined;
        this.#serveAll();
      },
      wholeMs(at - now),
    );
  }
}

/** A limit that others have emptied again is claimed alone: the rest must not wait for it. */
function claim({ claims }: Waiter, id: string): void {
  if (claims.at(-1) === id) return;
  if (claims.includes(id)) claims.length = 0;
  claims.push(id);
}
