import { type PredictiveLimit, predictiveLimit } from '@temper/forecast/limit';
import { type RateLimiter, tokenBucket } from '@temper/ratelimit';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import type { EventLoop } from '../simulation/events.ts';
import type { Admitted } from '../simulation/scenario.ts';

/** The limit of search, in calls per minute: above its daily peak of 240. */
export const CEILING = 330;
const BURST = 30;

/** What stands before the server. */
interface Gate {
  /** Calls of search that are made before the measured week. */
  learn(calls: number): void;
  admit(search: boolean): Admitted | undefined;
  /** Calls of search per minute. */
  limit(): number;
}

export type MakeGate = (loop: EventLoop, random: () => number) => Gate;

const FREE: Admitted = {
  served: () => undefined,
  overloaded: () => undefined,
  timedOut: () => undefined,
};

type Rate = Pick<PredictiveLimit | RateLimiter, 'tryAcquire' | 'peek'>;

/** A limit of the rate of search, an adaptive limit of the concurrency of all calls, or both. */
function gate(rateOf: ((loop: EventLoop) => Rate) | undefined, adapts: boolean): MakeGate {
  return (loop, random) => {
    const { clock } = loop;
    const rate = rateOf?.(loop);
    const permits = adapts ? adaptiveConcurrency({ clock, random }) : undefined;
    return {
      learn: (calls) => {
        for (let i = 0; i < calls; i++) rate?.tryAcquire();
      },
      admit: (search) => {
        if (search && rate !== undefined && rate.tryAcquire() === undefined) return undefined;
        if (permits === undefined) return FREE;
        const lease = permits.tryAcquire();
        if (lease === undefined) return undefined;
        return {
          served: () => lease.release(),
          overloaded: () => lease.overloaded(),
          timedOut: () => lease.timedOut(),
        };
      },
      limit: () => rate?.peek().limit ?? Number.POSITIVE_INFINITY,
    };
  };
}

const bucket = ({ clock }: EventLoop): RateLimiter =>
  tokenBucket({ name: 'search', limit: CEILING, windowMs: 60_000, burst: BURST, clock });
const predictive = (loop: EventLoop): PredictiveLimit =>
  predictiveLimit({ limiter: bucket(loop), clock: loop.clock });

/** What is compared, by the heading of its column. All options but the plain limit are defaults. */
export const GATES: Readonly<Record<string, MakeGate>> = {
  'plain limit': gate(bucket, false),
  adaptiveConcurrency: gate(undefined, true),
  predictiveLimit: gate(predictive, false),
  'plain limit, adaptiveConcurrency': gate(bucket, true),
  'predictiveLimit, adaptiveConcurrency': gate(predictive, true),
};
