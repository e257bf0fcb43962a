import { ManualClock } from '@temper/testkit';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HANDLER_ORDERS, type HandlerOrder } from './phases.ts';
import { shutdownOf } from './shutdown.ts';

const silent = {
  exit: () => {},
  setExitCode: () => {},
  releaseChannel: () => {},
  handles: () => [],
  log: () => {},
};

const phases = fc.tuple(
  ...['intake', 'drain', 'close'].map((name) =>
    fc.record({ name: fc.constant(name), order: fc.constantFrom(...HANDLER_ORDERS) }),
  ),
);
const handler = fc.record({
  phase: fc.constantFrom('intake', 'drain', 'close'),
  does: fc.constantFrom('return', 'throw', 'hang'),
  takesMs: fc.integer({ min: 0, max: 3000 }),
  timeoutMs: fc.integer({ min: 1, max: 4000 }),
});

interface Run {
  readonly from: number;
  readonly to: number;
}

it('runs every handler at most once, in order, within its own limit and that of the shutdown', async () => {
  const reach = new Reach('completed', 'failed', 'timed_out', 'skipped');
  await fc.assert(
    fc.asyncProperty(
      phases,
      fc.array(handler, { maxLength: 8 }),
      fc.integer({ min: 0, max: 2000 }),
      fc.integer({ min: 3000, max: 12_000 }),
      async (stages, handlers, delayMs, timeoutMs) => {
        const clock = new ManualClock();
        const begun = clock.monotonic();
        const shutdown = shutdownOf(
          { clock, delayMs, timeoutMs, flushTimeoutMs: 500, phases: stages },
          silent,
        );
        const started = new Map<string, number>();
        handlers.forEach(({ phase, does, takesMs, timeoutMs: limit }, index) => {
          shutdown.register({
            name: `${index}`,
            phase,
            timeoutMs: limit,
            run: async () => {
              expect(started.has(`${index}`)).toBe(false);
              started.set(`${index}`, clock.monotonic());
              if (does === 'hang') await new Promise(() => {});
              await clock.sleep(takesMs);
              if (does === 'throw') throw new Error('no');
            },
          });
        });
        const report = await clock.runUntil(shutdown.shutdown());
        using _ = shutdown;

        // The shutdown and each handler stay within their limits.
        const deadline = begun + timeoutMs - 500;
        expect(report.durationMs).toBeLessThanOrEqual(timeoutMs);
        const runs = new Map<string, Run>();
        for (const { name, outcome, durationMs } of report.handlers) {
          reach.count(outcome as 'skipped');
          const given = handlers[Number(name)] as (typeof handlers)[number];
          expect(durationMs).toBeLessThanOrEqual(given.timeoutMs);
          const from = started.get(name);
          expect(from === undefined).toBe(outcome === 'skipped');
          if (from === undefined) continue;
          const to = from + durationMs;
          expect(from).toBeGreaterThanOrEqual(begun + delayMs);
          expect(to).toBeLessThanOrEqual(deadline);
          runs.set(name, { from, to });
          // The outcome matches what the handler did.
          const inTime = given.takesMs < Math.min(given.timeoutMs, deadline - from);
          const settles = given.does === 'throw' ? 'failed' : 'completed';
          expect(outcome).toBe(given.does !== 'hang' && inTime ? settles : 'timed_out');
        }
        // Every handler has exactly one result.
        expect(report.handlers.map(({ name }) => name).sort()).toEqual(
          handlers.map((_each, index) => `${index}`).sort(),
        );

        // Handlers ran in the order of the phases, and within a phase in its order.
        let before = begun + delayMs;
        for (const { name: phase, order } of stages) {
          const inPhase = handlers.flatMap((each, index) =>
            each.phase === phase ? (runs.get(`${index}`) ?? []) : [],
          );
          checkOrder(order, inPhase);
          for (const { from } of inPhase) expect(from).toBeGreaterThanOrEqual(before);
          before = Math.max(before, ...inPhase.map(({ to }) => to));
        }
      },
    ),
    { numRuns: 200 },
  );
  reach.expectAll(20);
});

function checkOrder(order: HandlerOrder, registered: readonly Run[]): void {
  if (order === 'parallel') {
    expect(new Set(registered.map(({ from }) => from)).size).toBeLessThanOrEqual(1);
    return;
  }
  const expected = order === 'lifo' ? registered.toReversed() : registered;
  for (const [index, run] of expected.entries()) {
    const previous = expected[index - 1];
    if (previous !== undefined) expect(run.from).toBeGreaterThanOrEqual(previous.to);
  }
}
