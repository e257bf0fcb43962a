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
  retryAfterMs,
  withoutTrial,
  withTrial,
} from './circuit.ts';

/** What can happen to a circuit, and when. */
type CircuitEvent =
  | { readonly type: 'trip' | 'begin' | 'isolate' | 'close'; readonly at: number }
  | { readonly type: 'follow'; readonly at: number; readonly forMs: number }
  | {
      readonly type: 'end';
      readonly at: number;
      readonly generation: number;
      readonly begunAt: number;
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
      return state === 'half-open' && admits(circuit, by) ? withTrial(circuit, at, by) : circuit;
    case 'isolate':
      return state === 'isolated' ? circuit : isolated(circuit, at);
    case 'close':
      return state === 'closed' ? circuit : closed(circuit, at, 0);
    case 'follow':
      return state === 'isolated' ? circuit : followed(circuit, at, event.forMs);
    case 'end': {
      if (circuit.generation !== event.generation) return circuit;
      return event.verdict === 'failure' && circuit.trials.includes(event.begunAt)
        ? open(circuit, at, by)
        : withoutTrial(circuit, event.begunAt, event.verdict === 'success', at, by);
    }
  }
}

const rules = fc.record<CircuitRules>({
  successThreshold: fc.integer({ min: 1, max: 4 }),
  halfOpenMaxCalls: fc.integer({ min: 1, max: 4 }),
  halfOpenMaxDurationMs: fc.integer({ min: 1, max: 500 }),
  stableAfterMs: fc.oneof(fc.constant(undefined), fc.nat(400)),
});

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

/** Every trial so far with its generation, so that ends can be late. */
type Begun = { readonly generation: number; readonly begunAt: number }[];

function timed(untimed: Untimed, at: number, begun: Begun): CircuitEvent | undefined {
  switch (untimed.type) {
    case 'follow':
      return { type: 'follow', at, forMs: untimed.forMs };
    case 'end': {
      const trial = begun[untimed.pick % Math.max(1, begun.length)];
      return trial && { type: 'end', at, ...trial, verdict: untimed.verdict };
    }
    default:
      return { type: untimed.type, at };
  }
}

function elapse(circuit: Circuit, at: number, by: CircuitRules): Circuit {
  let now = circuit;
  while (at >= now.until) now = now.state === 'open' ? halfOpened(now) : open(now, now.until, by);
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
      begun.unshift({ generation: after.generation, begunAt: at });
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
          expect(admits(after, by)).toBe(
            after.state === 'closed' ||
              (after.state === 'half-open' && running < by.halfOpenMaxCalls),
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

  it('opens at once when a trial of this generation fails', () => {
    fc.assert(
      fc.property(rules, steps, (by, list) => {
        play(list, by, (before, after, happened) => {
          if (before.state !== 'half-open' || happened.type !== 'end') return;
          const running =
            happened.generation === before.generation && before.trials.includes(happened.begunAt);
          if (happened.verdict === 'failure' && running) {
            expect(after.state).toBe('open');
            expect(after.openings).toBe(before.openings + 1);
          }
          if (!running) expect(after).toBe(before);
        });
      }),
    );
  });

  it('closes by trials only after successThreshold successes in a row', () => {
    fc.assert(
      fc.property(rules, steps, (by, list) => {
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
      halfOpenMaxCalls: 1,
      halfOpenMaxDurationMs: 100,
      stableAfterMs: undefined,
    };
    const trip = { type: 'trip', at: 0 } as const;
    const step = (circuit: Circuit, event: CircuitEvent): Circuit =>
      transition(elapse(circuit, 0, by), event, by);
    const first = step(step(newCircuit(0), trip), { type: 'begin', at: 0 });
    const closed = step(first, { type: 'close', at: 0 });
    const second = step(step(closed, trip), { type: 'begin', at: 0 });
    expect([first.state, second.state]).toEqual(['half-open', 'half-open']);
    const end = { type: 'end', at: 0, begunAt: 0, verdict: 'success' } as const;
    expect(step(second, { ...end, generation: first.generation })).toBe(second);
    expect(step(second, { ...end, generation: second.generation }).state).toBe('closed');
  });
});
