import { isTemperError } from '@temper/core';
import { ManualClock } from '@temper/testkit/clock';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';
import type { CircuitBreaker } from './contract.ts';

const FAILURES = 2;
const SUCCESSES = 2;
const OPEN_MS = 100;
const TRIALS = 2;
const TRIAL_MS = 50;

/** A breaker written for correctness only. */
class Model {
  now = 0;
  state: 'closed' | 'open' | 'half-open' | 'isolated' = 'closed';
  /** Changes with each state, so that old calls can be told apart. */
  epoch = 0;
  holders = 0;
  failuresInARow = 0;
  successes = 0;
  openUntil = 0;
  calls: { id: number; epoch: number; begunAt: number }[] = [];
  nextId = 0;

  readonly reach: ReturnType<typeof reach>;

  constructor(counts: ReturnType<typeof reach>) {
    this.reach = counts;
  }

  enter(state: Model['state']): void {
    this.reach.count(state);
    this.state = state;
    this.epoch++;
    this.failuresInARow = 0;
    this.successes = 0;
  }

  open(at: number): void {
    this.enter('open');
    this.openUntil = at + OPEN_MS;
  }

  trials(): Model['calls'] {
    return this.state === 'half-open' ? this.calls.filter((call) => call.epoch === this.epoch) : [];
  }

  /** One millisecond at a time. */
  advance(ms: number): void {
    for (let i = 0; i < ms; i++) {
      this.now++;
      if (this.trials().some((call) => this.now - call.begunAt >= TRIAL_MS)) this.open(this.now);
      if (this.state === 'open' && this.now >= this.openUntil) this.enter('half-open');
    }
  }

  /** @returns whether the call runs */
  begin(): boolean {
    const runs =
      this.state === 'closed' || (this.state === 'half-open' && this.trials().length < TRIALS);
    if (runs) this.calls.push({ id: this.nextId++, epoch: this.epoch, begunAt: this.now });
    this.reach.count('refused', !runs);
    this.reach.count('waits for a trial', !runs && this.state === 'half-open');
    return runs;
  }

  end(index: number, outcome: 'success' | 'failure' | 'ignored'): void {
    const [call] = this.calls.splice(index, 1);
    this.reach.count('late', call?.epoch !== this.epoch);
    if (call?.epoch !== this.epoch || outcome === 'ignored') return;
    if (this.state === 'closed') {
      this.failuresInARow = outcome === 'failure' ? this.failuresInARow + 1 : 0;
      if (this.failuresInARow === FAILURES) this.open(this.now);
    } else if (this.state === 'half-open') {
      if (outcome === 'failure') this.open(this.now);
      else if (++this.successes === SUCCESSES) this.enter('closed');
    }
  }
}

const reach = (): Reach<Model['state'] | 'refused' | 'waits for a trial' | 'late'> =>
  new Reach('closed', 'open', 'half-open', 'isolated', 'refused', 'waits for a trial', 'late');

interface Real {
  readonly clock: ManualClock;
  readonly breaker: CircuitBreaker;
  readonly calls: { settle: PromiseWithResolvers<string>; done: Promise<unknown> }[];
  readonly holds: Disposable[];
}

type Command = fc.AsyncCommand<Model, Real>;

const command = (
  text: string,
  can: (model: Readonly<Model>) => boolean,
  run: (model: Model, real: Real) => Promise<void> | void,
): Command => ({
  check: (model) => can(model),
  run: async (model, real) => {
    await run(model, real);
    // The breaker is not looked at between commands: its state must not depend on that.
    expect(real.breaker.state).toBe(model.state);
    expect(real.breaker.stats().trials.running).toBe(model.trials().length);
    expect(real.breaker.stats().trials.successes).toBe(model.successes);
  },
  toString: () => text,
});

const begin = command(
  'begin',
  () => true,
  async (model, real) => {
    const settle = Promise.withResolvers<string>();
    let ran = false;
    const done = real.breaker.tryExecute(() => {
      ran = true;
      return settle.promise;
    });
    const runs = model.begin();
    expect(ran).toBe(runs);
    if (runs) {
      real.calls.push({ settle, done });
    } else {
      const outcome = await done;
      expect(!outcome.ok && isTemperError(outcome.error, 'CIRCUIT_OPEN')).toBe(true);
    }
  },
);

const end = (pick: number, outcome: 'success' | 'failure' | 'ignored'): Command =>
  command(
    `end(${pick}, ${outcome})`,
    (model) => model.calls.length > 0,
    async (model, real) => {
      const index = pick % model.calls.length;
      const [call] = real.calls.splice(index, 1);
      if (outcome === 'success') call?.settle.resolve('ok');
      else call?.settle.reject(new Error(outcome));
      await call?.done;
      model.end(index, outcome);
    },
  );

const advance = (ms: number): Command =>
  command(
    `advance(${ms})`,
    () => true,
    (model, real) => {
      real.clock.jump(ms);
      model.advance(ms);
    },
  );

const isolate = command(
  'isolate',
  (model) => model.holders < 3,
  (model, real) => {
    real.holds.push(real.breaker.isolate());
    if (model.holders++ === 0) model.enter('isolated');
  },
);

const release = command(
  'release',
  (model) => model.holders > 0,
  (model, real) => {
    real.holds.pop()?.[Symbol.dispose]();
    if (--model.holders === 0) model.enter('closed');
  },
);

const reset = command(
  'reset',
  () => true,
  (model, real) => {
    real.breaker.reset();
    if (model.state === 'closed') model.failuresInARow = 0;
    else if (model.state !== 'isolated') model.enter('closed');
  },
);

const commands = fc.commands(
  [
    fc.constant(begin),
    fc.constant(begin),
    fc.constant(begin),
    fc
      .tuple(fc.nat(9), fc.constantFrom('success', 'failure', 'failure', 'ignored'))
      .map(([p, o]) => end(p, o)),
    fc.tuple(fc.nat(9), fc.constantFrom('success', 'failure')).map(([p, o]) => end(p, o)),
    fc.oneof(fc.nat(10), fc.constantFrom(49, 50, 99, 100, 101, 150)).map(advance),
    // Rare: each of these ends whatever the others have built up.
    fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(99, 100, 101).map(advance) },
      { weight: 1, arbitrary: fc.constant(isolate) },
      { weight: 2, arbitrary: fc.constant(release) },
      { weight: 1, arbitrary: fc.constant(reset) },
    ),
  ],
  { maxCommands: 60 },
);

describe('a breaker under any sequence of begin, end, time and isolation', () => {
  it.each([
    ['by default', {}],
    [
      'with a predicate',
      {
        shouldHandle: (outcome: { ok: boolean; error?: unknown }) =>
          outcome.error instanceof Error && outcome.error.message !== 'ignored',
      },
    ],
  ])('behaves like the plain model, %s', async (_path, options) => {
    const ignores = 'shouldHandle' in options;
    const reached = reach();
    await fc.assert(
      fc.asyncProperty(commands, async (list) => {
        const clock = new ManualClock();
        const breaker = circuitBreaker({
          clock,
          failureThreshold: FAILURES,
          successThreshold: SUCCESSES,
          openDurationMs: OPEN_MS,
          halfOpenMaxCalls: TRIALS,
          halfOpenMaxDurationMs: TRIAL_MS,
          ...options,
        });
        const model = new Model(reached);
        if (!ignores) {
          const plain = model.end.bind(model);
          model.end = (index, outcome) => plain(index, outcome === 'ignored' ? 'failure' : outcome);
        }
        await fc.asyncModelRun(
          () => ({ model, real: { clock, breaker, calls: [], holds: [] } }),
          list,
        );
        breaker[Symbol.dispose]();
      }),
      { numRuns: 500 },
    );
    reached.expectAll(20);
  });
});
