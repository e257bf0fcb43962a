import { concurrency, throttle } from '@temper/ratelimit';
import { type AdaptiveConcurrencyOptions, adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import type { EventLoop } from './events.ts';
import type { Admitted, Strategy } from './scenario.ts';

export type Make = (loop: EventLoop, random: () => number) => Strategy;

const HANDS_OFF: Admitted = {
  served: () => undefined,
  overloaded: () => undefined,
  timedOut: () => undefined,
};

/** Admits every request. */
export const unlimited: Make = () => ({
  name: 'no limit',
  admit: () => HANDS_OFF,
  level: () => 0,
});

/** A fixed concurrency limit. */
export function fixed(limit: number): Make {
  return ({ clock }) => {
    const limiter = concurrency({ clock, limit });
    return {
      name: `fixed limit of ${limit}`,
      admit: () => {
        const lease = limiter.tryAcquire();
        if (lease === undefined) return undefined;
        return {
          served: () => lease.release(),
          overloaded: () => lease.release(),
          timedOut: () => lease.release(),
        };
      },
      level: () => limit,
    };
  };
}

/** An adaptive concurrency limit. */
export function adaptive(name: string, options: AdaptiveConcurrencyOptions): Make {
  return ({ clock }, random) => {
    const limiter = adaptiveConcurrency({
      clock,
      ...options,
      ...(options.algorithm === 'aimd' ? {} : { random }),
    });
    return {
      name,
      admit: () => {
        const lease = limiter.tryAcquire();
        if (lease === undefined) return undefined;
        return {
          served: () => lease.release(),
          overloaded: () => lease.overloaded(),
          timedOut: () => lease.timedOut(),
        };
      },
      level: () => limiter.stats().limit,
    };
  };
}

/** Client-side throttling. */
export function throttled(
  multiplier: number,
  windowMs: number,
  slowCallDurationMs: number = Number.POSITIVE_INFINITY,
): Make {
  return ({ clock }, random) => {
    const policy = throttle({ clock, random, multiplier, windowMs, slowCallDurationMs });
    return {
      name: `throttle, multiplier ${multiplier}`,
      admit: (priority) => {
        const ticket = policy.tryAcquire({ priority });
        if (ticket === undefined) return undefined;
        return {
          served: () => ticket.release(),
          overloaded: () => ticket.overloaded(),
          timedOut: () => ticket.overloaded(),
        };
      },
      level: () => policy.stats().rejectionRatio,
    };
  };
}

/** Clients that do not know of each other, each with a limiter of its own. Requests come to all alike. */
export function fleet(clients: number, make: Make): Make {
  return (loop, random) => {
    const each = Array.from({ length: clients }, () => make(loop, random));
    return {
      name: each[0]!.name,
      admit: (priority) => each[Math.floor(random() * clients)]!.admit(priority),
      level: () => each.reduce((sum, one) => sum + one.level(), 0) / clients,
    };
  };
}
