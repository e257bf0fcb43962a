import { seededRandom } from '@temper/testkit';
import { ManualClock } from '@temper/testkit/clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { circuitBreaker } from '../circuit-breaker.ts';
import type { CircuitBreaker } from '../contract.ts';
import { MemoryBreakerStore } from './memory-store.ts';
import { sharedCircuit } from './shared-circuit.ts';
import type { BreakerStore } from './store.ts';

const NODES = 4;
const OPEN_MS = 2000;
const TICK_MS = 50;

/** A store behind a network that delays, reorders and loses messages. */
function remote(
  store: BreakerStore,
  clock: ManualClock,
  random: () => number,
  loss: () => number,
): BreakerStore {
  const over = async <T>(work: () => Promise<T>): Promise<T> => {
    await clock.sleep(random() * 40);
    if (random() < loss()) throw new Error('lost on the way there');
    const answer = await work();
    await clock.sleep(random() * 40);
    if (random() < loss()) throw new Error('lost on the way back');
    return answer;
  };
  return {
    report: (message) => over(() => store.report(message)),
    takeTrial: (message) => over(() => store.takeTrial(message)),
    endTrial: (message) => over(() => store.endTrial(message)),
  };
}

class Simulation {
  readonly clock = new ManualClock();
  readonly nodes: CircuitBreaker[];
  readonly #random: () => number;
  /** Which nodes see failures. */
  failing = new Set<number>();
  /** Share of the store's messages that are lost. */
  loss = 0;
  /** Share of the ticks in which a node makes a call. */
  activity = 0.7;
  running = 0;
  mostRunning = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const store = new MemoryBreakerStore(this.clock);
    this.nodes = Array.from({ length: NODES }, (_, i) =>
      circuitBreaker({
        name: `simulated-${seed}`,
        clock: this.clock,
        openDurationMs: OPEN_MS,
        halfOpenMaxDurationMs: 1000,
        shared: sharedCircuit({
          store: remote(store, this.clock, this.#random, () => this.loss),
          node: String(i),
          reportIntervalMs: 200,
          timeoutMs: 100,
        }),
      }),
    );
  }

  async run(ms: number): Promise<void> {
    this.mostRunning = 0;
    for (let at = 0; at < ms; at += TICK_MS) {
      for (const [i, node] of this.nodes.entries()) {
        if (this.#random() < this.activity) void node.tryExecute(() => this.#downstream(i));
      }
      await this.clock.advance(TICK_MS);
    }
  }

  async #downstream(node: number): Promise<void> {
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    await this.clock.sleep(5 + this.#random() * 30);
    this.running--;
    if (this.failing.has(node)) throw new Error('boom');
  }

  get states(): string[] {
    return this.nodes.map(({ state }) => state);
  }
}

const all = new Set(Array.from({ length: NODES }, (_, i) => i));

describe('a fleet over a network that delays and reorders', () => {
  it('opens together, runs one trial at a time, and closes together after recovery', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const fleet = new Simulation(seed);
        await fleet.run(1000);
        expect(fleet.states).toEqual(Array(NODES).fill('closed'));

        fleet.failing = all;
        await fleet.run(2000);
        expect(fleet.states).not.toContain('closed');
        await fleet.run(4 * OPEN_MS);
        expect(fleet.states).not.toContain('closed');
        expect(fleet.mostRunning).toBe(1);

        fleet.failing = new Set();
        await fleet.run(2 * OPEN_MS);
        expect(fleet.states).toEqual(Array(NODES).fill('closed'));
        await fleet.run(2 * OPEN_MS);
        expect(fleet.states).toEqual(Array(NODES).fill('closed'));
        await fleet.clock.advance(1000);
        expect(fleet.clock.pending).toBe(0);
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  it('stays closed on the others when one node alone sees failures', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(NODES - 1), async (seed, bad) => {
        const fleet = new Simulation(seed);
        const moved: string[] = [];
        for (const [i, node] of fleet.nodes.entries()) {
          node.onStateChange(({ to }) => i !== bad && moved.push(to));
        }
        fleet.failing = new Set([bad]);
        await fleet.run(5 * OPEN_MS);
        expect(moved).toEqual([]);
        expect(fleet.states[bad]).not.toBe('closed');
        fleet.failing = new Set();
        await fleet.run(2 * OPEN_MS);
        expect(fleet.states[bad]).toBe('closed');
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  it('closes after recovery with little traffic and a third of the messages lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.constantFrom(0.05, 0.2, 0.7), async (seed, activity) => {
        const fleet = new Simulation(seed);
        fleet.activity = activity;
        fleet.loss = 1 / 3;
        fleet.failing = all;
        await fleet.run(10_000);
        fleet.failing = new Set();
        await fleet.run(10_000);
        fleet.loss = 0;
        await fleet.run(15_000);
        expect(fleet.states).toEqual(Array(NODES).fill('closed'));
      }),
      { numRuns: 15 },
    );
  }, 60_000);
});
