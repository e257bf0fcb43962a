import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServerLimits } from './server-limits.ts';

const announce = (remaining: number, resetMs: number, key = 'a') => ({ key, remaining, resetMs });

describe('ServerLimits', () => {
  it('lets every call pass until a limit is announced', () => {
    const limits = new ServerLimits();
    for (let i = 0; i < 100; i++) expect(limits.take(1, 0)).toBe(0);
    expect(limits.remaining(0)).toBeUndefined();
  });

  it('lets the remaining calls pass, then waits for the reset', () => {
    const limits = new ServerLimits();
    limits.take(1, 0);
    limits.update(1, [announce(2, 1000)], 100);
    expect(limits.take(1, 100)).toBe(0);
    expect(limits.take(1, 100)).toBe(0);
    expect(limits.take(1, 100)).toBe(1000);
    expect(limits.take(1, 600)).toBe(500);
  });

  it('subtracts the calls in flight until it is known whether they were included', () => {
    const limits = new ServerLimits();
    for (let i = 0; i < 3; i++) limits.take(1, 0);
    limits.update(1, [announce(5, 1000)], 10);
    expect(limits.remaining(10)).toBe(3);
    limits.update(3, [announce(4, 1000)], 20);
    // Call 2 may arrive later than call 3.
    expect(limits.remaining(20)).toBe(3);
    limits.update(2, [announce(9, 1000)], 30);
    expect(limits.remaining(30)).toBe(4);
  });

  it('does not count a call twice that arrived after a later one', () => {
    const limits = new ServerLimits();
    for (let i = 0; i < 3; i++) limits.take(1, 0);
    // The server received call 3 first, then call 2, then call 1.
    limits.update(3, [announce(2, 1000)], 10);
    expect(limits.remaining(10)).toBe(0);
    limits.update(2, [announce(1, 1000)], 20);
    limits.update(1, [announce(0, 1000)], 30);
    expect(limits.take(1, 30)).toBe(980);
  });

  it('lets no more calls pass than the server has units, in whatever order they arrive', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.record({ arrives: fc.nat(), responds: fc.nat(), send: fc.boolean() }), {
          maxLength: 60,
        }),
        (units, script) => {
          const limits = new ServerLimits();
          const sent: number[] = [];
          const arrived: { call: number; left: number }[] = [];
          let calls = 0;
          let left = units;
          const send = (): void => {
            if (limits.take(1, 0) === 0) sent.push(++calls);
          };
          // The first call learns the limit.
          send();
          limits.update(1, [announce(--left, 1000)], 0);
          sent.length = 0;
          for (const step of script) {
            if (step.send) send();
            if (sent.length > 0) {
              const [call] = sent.splice(step.arrives % sent.length, 1);
              arrived.push({ call: call!, left: --left });
            }
            if (arrived.length > 0 && step.responds % 2 === 0) {
              const [response] = arrived.splice(step.responds % arrived.length, 1);
              limits.update(response!.call, [announce(response!.left, 1000)], 0);
            }
          }
          expect(calls).toBeLessThanOrEqual(units);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('includes a call again that got no response, and one that is in flight for long', () => {
    const limits = new ServerLimits();
    for (let i = 0; i < 4; i++) limits.take(1, 0);
    limits.settle(1, true);
    limits.update(2, [announce(9, 1000)], 10);
    expect(limits.remaining(10)).toBe(7);
    // Calls 3 and 4 never get a response: after ten seconds they have reached the server.
    limits.take(1, 10_000);
    limits.update(5, [announce(9, 1000)], 10_000);
    expect(limits.remaining(10_000)).toBe(9);
  });

  it('sends one probe after the reset, and the next one only after the same time again', () => {
    const limits = new ServerLimits();
    limits.take(1, 0);
    limits.update(1, [announce(0, 1000)], 0);
    expect(limits.take(1, 1000)).toBe(0);
    expect(limits.take(1, 1000)).toBe(1000);
    expect(limits.take(1, 1999)).toBe(1);
    expect(limits.take(1, 2000)).toBe(0);
    limits.settle(2, true); // the first probe got no response
    limits.update(3, [announce(7, 1000)], 2000);
    expect(limits.remaining(2000)).toBe(7);
  });

  it('gets back what a call had that was not sent, from every limit announced meanwhile', () => {
    const limits = new ServerLimits();
    for (let i = 0; i < 3; i++) limits.take(1, 0);
    limits.take(2, 0);
    limits.update(3, [announce(9, 1000), announce(5, 1000, 'b')], 10);
    expect(limits.remaining(10)).toBe(1);
    limits.settle(4, false);
    expect(limits.remaining(10)).toBe(3);
    limits.settle(4, false);
    limits.settle(1, true);
    expect(limits.remaining(10)).toBe(3);
    limits.settle(2, false);
    expect(limits.remaining(10)).toBe(4);
  });

  it.each([true, false])(
    'sends another probe when one is over without a response, sent: %s',
    (sent) => {
      const limits = new ServerLimits();
      limits.take(1, 0);
      limits.update(1, [announce(0, 1000)], 0);
      expect(limits.take(3, 1000)).toBe(0);
      expect(limits.take(1, 1000)).toBe(1000);
      limits.settle(2, sent);
      expect(limits.take(1, 1001)).toBe(0);
      expect(limits.take(1, 1001)).toBe(1000);
      limits.update(3, [announce(7, 1000)], 1002);
      expect(limits.remaining(1002)).toBe(7);
    },
  );

  it('removes a limit that is not announced any more', () => {
    const limits = new ServerLimits();
    limits.take(1, 0);
    limits.update(1, [announce(0, 1000)], 0);
    limits.take(1, 1000);
    limits.update(2, [], 1000);
    for (let i = 0; i < 10; i++) expect(limits.take(1, 1000)).toBe(0);
  });

  it('keeps limits apart and follows the strictest', () => {
    const limits = new ServerLimits();
    limits.take(1, 0);
    limits.update(1, [announce(5, 10_000, 'day'), announce(1, 100, 'second')], 0);
    expect(limits.take(1, 0)).toBe(0);
    expect(limits.take(1, 0)).toBe(100);
    expect(limits.remaining(0)).toBe(0);
    expect(limits.take(1, 100)).toBe(0);
  });

  it('keeps a bounded number of limits: those that hold calls back, and of these the latest', () => {
    const limits = new ServerLimits();
    limits.take(1, 0);
    for (let i = 0; i < 10_000; i++) limits.update(1, [announce(0, i + 1, `limit-${i}`)], 0);
    // Only the 64 announced last are in force.
    expect(limits.wait(0)).toBe(10_000);
    expect(limits.wait(9999)).toBe(1);
    const names = Array.from({ length: 500 }, (_, i) => announce(5, 1000, `other-${i}`));
    limits.update(1, names, 0);
    // A limit that is used up is not forgotten because others are announced.
    expect(limits.wait(0)).toBe(10_000);
    limits.update(1, names, 10_000);
    expect(limits.take(1, 10_000)).toBe(0);
  });
});
