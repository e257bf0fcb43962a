import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  HANDLER_ORDERS,
  HANDLER_OUTCOMES,
  type HandlerOrder,
  nextBatch,
  overallOutcome,
  timeLeft,
} from './phases.ts';

/** Takes batches until no handler is left. */
function batches(order: HandlerOrder, handlers: readonly number[]): (readonly number[])[] {
  const taken: (readonly number[])[] = [];
  let waiting = handlers;
  while (waiting.length > 0) {
    const { batch, rest } = nextBatch(order, waiting);
    taken.push(batch);
    waiting = rest;
  }
  return taken;
}

const handlers = fc.uniqueArray(fc.integer());

describe('nextBatch', () => {
  it('takes every handler once, in the order of the phase', () => {
    fc.assert(
      fc.property(handlers, (registered) => {
        const one = registered.map((handler) => [handler]);
        expect(batches('fifo', registered)).toEqual(one);
        expect(batches('lifo', registered)).toEqual(one.toReversed());
        expect(batches('parallel', registered)).toEqual(
          registered.length === 0 ? [] : [registered],
        );
      }),
    );
  });

  it('does not modify its input and returns new arrays', () => {
    fc.assert(
      fc.property(handlers, fc.constantFrom(...HANDLER_ORDERS), (registered, order) => {
        const before = [...registered];
        const { batch, rest } = nextBatch(order, registered);
        expect(registered).toEqual(before);
        expect(batch).not.toBe(registered);
        expect(rest).not.toBe(registered);
      }),
    );
  });
});

describe('timeLeft', () => {
  it('computes a remaining time that is never negative and never exceeds a limit or deadline', () => {
    const ms = fc.double({ min: 0, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(ms, ms, fc.array(ms, { maxLength: 3 }), (own, now, deadlines) => {
        const left = timeLeft(own, now, ...deadlines);
        expect(left).toBeGreaterThanOrEqual(0);
        expect(left).toBeLessThanOrEqual(own);
        for (const deadline of deadlines) {
          expect(left).toBeLessThanOrEqual(Math.max(0, deadline - now));
        }
      }),
    );
  });
});

describe('overallOutcome', () => {
  it('derives completed only if every handler completed, and the worst outcome otherwise', () => {
    const outcomes = fc.array(fc.constantFrom(...HANDLER_OUTCOMES));
    fc.assert(
      fc.property(outcomes, fc.boolean(), (each, forced) => {
        const late = each.some((outcome) => outcome === 'timed_out' || outcome === 'skipped');
        const expected = forced
          ? 'forced'
          : late
            ? 'timed_out'
            : each.includes('failed')
              ? 'failed'
              : 'completed';
        expect(overallOutcome(each, forced)).toBe(expected);
      }),
    );
  });
});
