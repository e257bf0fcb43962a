import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  admits,
  type Circuit,
  type CircuitRules,
  closed,
  followed,
  halfOpened,
  isolated,
  newCircuit,
  nextOpenings,
  opened,
  type RunningTrial,
  retryAfterMs,
  trialsDecide,
  withoutTrial,
  withTrial,
} from './circuit.ts';

/** What can happen to a circuit, and when. */
type CircuitEvent =
  | { readonly type: 'trip' | 'isolate' | 'close'; readonly at: number }
  | { readonly type: 'begin'; readonly at: number; readonly trial: RunningTrial }
  | { readonly type: 'follow'; readonly at: number; readonly forMs: number }
  | {
      readonly type: 'end';
      readonly at: number;
      readonly trial: RunningTrial;
      readonly verdict: 'success' | 'failure' | 'ignored';
    };

/** The first opening takes no time, so that several generations can begin at the same moment. */
function open(circuit: Circuit, at: number, by: CircuitRules): Circuit {
  const openings = nextOpenings(circuit, at, by);
  const failure = { ok: false, error: 'why' } as const;
  return opened(circuit, at, { openings, openMs: 100 * (openings - 1), failure });
}

/** As a breaker does it: the same object where the event changes nothing. */
function transition(circuit: Circuit, event: CircuitEvent, by: CircuitRules): Circuit {
  const { at } = event;
  const { state } = circuit;
  switch (event.type) {
    case 'trip':
      return state === 'closed' ? open(circuit, at, by) : circuit;
    case 'begin':
      return state === 'half-open' && admits(circuit, by)
        ? withTrial(circuit, event.trial, by)
        : circuit;
    case 'isolate':
      return state === 'isolated' ? circuit : isolated(circuit, at);
    case 'close':
      return state === 'closed' ? circuit : closed(circuit, at, 0);
    case 'follow':
      return state === 'isolated' ? circuit : followed(circuit, at, event.forMs);
    case 'end':
      return ended(circuit, event.trial, event.verdict, at, by);
  }
}

function ended(
  circuit: Circuit,
  trial: RunningTrial,
  verdict: 'success' | 'failure' | 'ignored',
  at: number,
  by: CircuitRules,
): Circuit {
  const next = withoutTrial(circuit, trial, verdict, by);
  if (next === circuit) return circuit;
  const decision = trialsDecide(next, by);
  if (decision === 'open') return open(next, at, by);
  return decision === 'close' ? closed(next, at, next.openings) : next;
}

const options = {
  successThreshold: fc.integer({ min: 1, max: 4 }),
  halfOpenMaxCalls: fc.integer({ min: 1, max: 4 }),
  halfOpenMaxDurationMs: fc.integer({ min: 1, max: 500 }),
  stableAfterMs: fc.oneof(fc.constant(undefined), fc.nat(400)),
};
/** Each trial is judged by itself. */
const oneByOne = fc.record({ ...options, halfOpenMaxFailureRate: fc.constant(0) });
/** The trials are judged by their failure rate. */
const byRate = fc.record({
  ...options,
  halfOpenTrials: fc.integer({ min: 1, max: 6 }),
  halfOpenMaxFailureRate: fc.double({ min: 0, max: 1, noNaN: true }),
});
const rules: fc.Arbitrary<CircuitRules> = fc.oneof(oneByOne, byRate);

/** An event without its time, which comes from the steps between events. */
type Untimed =
  | { readonly type: 'trip' | 'begin' | 'isolate' | 'close' }
  | { readonly type: 'follow'; readonly forMs: number }
  | {
      readonly type: 'end';
      readonly verdict: 'success' | 'failure' | 'ignored';
      readonly pick: number;
    };

const event: fc.Arbitrary<Untimed> = fc.oneof(
  fc.constantFrom('trip', 'begin', 'isolate', 'close').map((type) => ({ type }) as const),
  fc.constant({ type: 'begin' } as const),
  fc.nat(300).map((forMs) => ({ type: 'follow', forMs }) as const),
  fc
    .tuple(fc.constantFrom('success', 'failure', 'ignored'), fc.nat(5))
    .map(([verdict, pick]) => ({ type: 'end', verdict, pick }) as const),
);
const pause = fc.oneof(fc.constant(0), fc.nat(20), fc.nat(400));
const steps = fc.array(fc.tuple(pause, event), { maxLength: 60 });

/** Every trial so far, so that ends can be late. */
type Begun = RunningTrial[];

function timed(untimed: Untimed, at: number, begun: Begun): CircuitEvent | undefined {
  switch (untimed.type) {
    case 'follow':
      return { type: 'follow', at, forMs: untimed.forMs };
    case 'end': {
      const trial = begun[untimed.pick % Math.max(1, begun.length)];
      return trial && { type: 'end', at, trial, verdict: untimed.verdict };
    }
    case 'begin':
      return { type: 'begin', at, trial: { begunAt: at } };
    default:
      return { type: untimed.type, at };
  }
}

function elapse(circuit: Circuit, at: number, by: CircuitRules): Circuit {
  let now = circuit;
  while (at >= now.until) {
    const { until } = now;
    const late = now.trials.find(({ begunAt }) => begunAt + by.halfOpenMaxDurationMs <= until);
    now = late === undefined ? halfOpened(now) : ended(now, late, 'failure', until, by);
  }
  return now;
}

function play(
  list: readonly (readonly [number, Untimed])[],
  by: CircuitRules,
  visit: (before: Circuit, after: Circuit, event: CircuitEvent, at: number) => void,
): Circuit {
  let circuit: Circuit = newCircuit(0);
  let at = 0;
  const begun: Begun = [];
  for (const [ms, untimed] of list) {
    at += ms;
    circuit = elapse(circuit, at, by);
    const next = timed(untimed, at, begun);
    if (next === undefined) continue;
    const after = transition(circuit, next, by);
    if (next.type === 'begin' && after !== circuit) {
      begun.unshift(next.trial);
    }
    visit(circuit, after, next, at);
    circuit = after;
  }
  return circuit;
}

describe('the circuit', () => {
  it('never runs more than halfOpenMaxCalls trials, and admits calls until then', () => {
    fc.assert(
      fc.property(rules, steps, (by, list) => {
        play(list, by, (_before, after) => {
          const running = after.trials.length;
          if (after.state !== 'half-open') expect(running).toBe(0);
          expect(running).toBeLessThanOrEqual(by.halfOpenMaxCalls);
          const { halfOpenTrials: most = Number.POSITIVE_INFINITY } = by;
          const left = most - after.successes - after.failures;
          expect(running).toBeLessThanOrEqual(Math.max(0, left));
          expect(admits(after, by)).toBe(
            after.state === 'closed' ||
              (after.state === 'half-open' && running < Math.min(by.halfOpenMaxCalls, left)),
          );
        });
      }),
    );
  });

  it('has a new generation after each change of state, and only then', () => {
    fc.assert(
      fc.property(rules, steps, (by, list) => {
        play(list, by, (before, after) => {
          const changed = before.state === after.state ? 0 : 1;
          expect(after.generation - before.generation).toBe(changed);
        });
      }),
    );
  });

  it('opens at once when a trial of this half-open circuit fails', () => {
    fc.assert(
      fc.property(oneByOne, steps, (by, list) => {
        play(list, by, (before, after, happened) => {
          if (before.state !== 'half-open' || happened.type !== 'end') return;
          const running = before.trials.includes(happened.trial);
          if (happened.verdict === 'failure' && running) {
            expect(after.state).toBe('open');
            expect(after.openings).toBe(before.openings + 1);
          }
          if (!running) expect(after).toBe(before);
        });
      }),
    );
  });

  it('by rate, closes after halfOpenTrials trials, and opens exactly when too many have failed', () => {
    const seen = { opened: 0, closed: 0 };
    const verdict = fc.constantFrom('success', 'failure', 'ignored');
    const verdicts = fc.array(verdict, { minLength: 10, maxLength: 30 });
    fc.assert(
      fc.property(byRate, verdicts, (by, list) => {
        const opening = { openings: 1, openMs: 0, failure: undefined };
        let circuit = halfOpened(opened(newCircuit(0), 0, opening));
        let failures = 0;
        let counted = 0;
        for (const each of list) {
          const trial = { begunAt: 0 };
          circuit = ended(withTrial(circuit, trial, by), trial, each, 0, by);
          failures += each === 'failure' ? 1 : 0;
          counted += each === 'ignored' ? 0 : 1;
          const tooMany = failures / by.halfOpenTrials > by.halfOpenMaxFailureRate;
          const all = counted === by.halfOpenTrials;
          expect(circuit.state).toBe(tooMany ? 'open' : all ? 'closed' : 'half-open');
          seen.opened += tooMany ? 1 : 0;
          seen.closed += all && !tooMany ? 1 : 0;
          if (tooMany || all) return;
        }
      }),
      { numRuns: 300 },
    );
    expect(seen.opened).toBeGreaterThan(10);
    expect(seen.closed).toBeGreaterThan(10);
  });

  it('closes by trials only after successThreshold successes in a row', () => {
    fc.assert(
      fc.property(oneByOne, steps, (by, list) => {
        play(list, by, (before, after, happened) => {
          if (after.state !== 'closed' || before.state === 'closed') return;
          if (happened.type === 'close') return;
          expect(before.state === 'half-open' && before.successes).toBe(by.successThreshold - 1);
        });
      }),
    );
  });

  it('leaves isolation only when it is closed', () => {
    fc.assert(
      fc.property(rules, steps, (by, list) => {
        play(list, by, (before, after, happened) => {
          if (before.state === 'isolated' && happened.type !== 'close') expect(after).toBe(before);
        });
      }),
    );
  });

  it('reaches the same state however often it is looked at', () => {
    fc.assert(
      fc.property(rules, steps, fc.nat(2000), (by, list, restMs) => {
        let at = 0;
        const circuit = play(list, by, (_before, _after, _event, when) => {
          at = when;
        });
        let watched = circuit;
        for (let ms = 0; ms <= restMs; ms += 7) watched = elapse(watched, at + ms, by);
        expect(elapse(watched, at + restMs, by)).toEqual(elapse(circuit, at + restMs, by));
      }),
    );
  });

  it('changes after retryAfterMs and not before', () => {
    fc.assert(
      fc.property(rules, steps, (by, list) => {
        play(list, by, (_before, after, _event, at) => {
          const circuit = elapse(after, at, by);
          const ms = retryAfterMs(circuit, at, by);
          if (ms === undefined) {
            expect(circuit.state === 'isolated' || admits(circuit, by)).toBe(true);
          } else {
            expect(ms).toBeGreaterThan(0);
            expect(elapse(circuit, at + ms - 0.5, by)).toBe(circuit);
            expect(elapse(circuit, at + ms, by)).not.toBe(circuit);
          }
        });
      }),
    );
  });

  it('tells apart trials of two generations that began at the same moment', () => {
    const by = {
      successThreshold: 1,
      halfOpenMaxFailureRate: 0,
      halfOpenMaxCalls: 1,
      halfOpenMaxDurationMs: 100,
      stableAfterMs: undefined,
    };
    const [early, late]: RunningTrial[] = [{ begunAt: 0 }, { begunAt: 0 }];
    const trip = { type: 'trip', at: 0 } as const;
    const step = (circuit: Circuit, event: CircuitEvent): Circuit =>
      transition(elapse(circuit, 0, by), event, by);
    const begin = (circuit: Circuit, trial: RunningTrial): Circuit =>
      step(step(circuit, trip), { type: 'begin', at: 0, trial });
    const first = begin(newCircuit(0), early as RunningTrial);
    const second = begin(step(first, { type: 'close', at: 0 }), late as RunningTrial);
    expect([first.state, second.state]).toEqual(['half-open', 'half-open']);
    const end = { type: 'end', at: 0, verdict: 'success' } as const;
    expect(step(second, { ...end, trial: early as RunningTrial })).toBe(second);
    expect(step(second, { ...end, trial: late as RunningTrial }).state).toBe('closed');
  });
});
