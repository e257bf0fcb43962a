import { beforeAll, describe, expect, it } from 'vitest';
import { plot } from './simulation/plot.ts';
import { type Run, simulate } from './simulation/scenario.ts';
import { CHANGING_CAPACITY, COSTLY_REFUSALS } from './simulation/scenarios.ts';
import { adaptive, fixed, throttled, unlimited } from './simulation/strategies.ts';

const SEEDS = [1, 2, 3];
const PATIENCE = 120_000;

describe.each(SEEDS)('at twice the changing capacity of a server, with seed %i', (seed) => {
  const runs: Record<string, Run> = {};

  beforeAll(() => {
    const scenario = { ...CHANGING_CAPACITY, seed };
    runs.unlimited = simulate(scenario, unlimited);
    runs.fixed = simulate(scenario, fixed(350));
    runs.gradient = simulate(scenario, adaptive('gradient', {}));
    const aimd = { algorithm: 'aimd', latencyThresholdMs: 500 } as const;
    runs.aimd = simulate(scenario, adaptive('aimd', aimd));
  }, PATIENCE);

  it.each(['gradient', 'aimd'])(
    '%s keeps goodput above 90 %% of the capacity, overall and in each phase',
    (strategy) => {
      expect(runs[strategy]!.share).toBeGreaterThan(0.9);
      expect(Math.min(...runs[strategy]!.shares)).toBeGreaterThan(0.9);
    },
  );

  it('goodput collapses without a limit, and with a fixed limit after the capacity changes', () => {
    expect(runs.unlimited!.share).toBeLessThan(0.05);
    const [before, after] = runs.fixed!.shares;
    expect(before).toBeGreaterThan(0.9);
    expect(after).toBeLessThan(0.05);
  });

  it('gradient keeps the median queue of the server below 40 requests', () => {
    const queued = runs.gradient!.seconds.map((one) => one.queued).sort((a, b) => a - b);
    expect(queued[Math.floor(queued.length / 2)]).toBeLessThan(40);
  });
});

describe.each(SEEDS)('for a server with costly rejections, with seed %i', (seed) => {
  const runs: Record<string, Run> = {};

  beforeAll(() => {
    const scenario = { ...COSTLY_REFUSALS, seed };
    runs.unlimited = simulate(scenario, unlimited);
    runs.fixed = simulate(scenario, fixed(60));
    runs.throttled = simulate(scenario, throttled(1.1, 5000));
  }, PATIENCE);

  it('throttle keeps goodput above 90 % of the capacity in each overload and sheds nothing before', () => {
    const [quiet, ...overloads] = runs.throttled!.shares;
    expect(Math.min(...overloads)).toBeGreaterThan(0.9);
    expect(quiet).toBeCloseTo(runs.unlimited!.shares[0]!, 3);
  });

  it('goodput falls below 40 % without a throttle and with a fixed limit', () => {
    const [, ...overloads] = runs.unlimited!.shares;
    expect(Math.max(...overloads)).toBeLessThan(0.4);
    expect(runs.fixed!.shares[2]).toBeLessThan(0.4);
  });

  it('throttle answers critical calls and sheds sheddable ones', () => {
    const { answered } = runs.throttled!;
    expect(answered.critical).toBeGreaterThan(0.9);
    expect(answered.sheddable).toBeLessThan(0.4);
  });
});

describe('the simulation', () => {
  const short = {
    ...CHANGING_CAPACITY,
    phases: CHANGING_CAPACITY.phases.map((phase) => ({ ...phase, seconds: 2 })),
  };

  it('is deterministic', () => {
    const once = simulate(short, adaptive('gradient', {}));
    expect(simulate(short, adaptive('gradient', {}))).toEqual(once);
  });

  it('serves all requests while the load is below the capacity', () => {
    const phases = [{ seconds: 20, workers: 20, serviceMs: 50, load: 0.5 }];
    for (const strategy of [unlimited, adaptive('gradient', {}), throttled(1.1, 5000)]) {
      const { answered } = simulate({ ...CHANGING_CAPACITY, phases }, strategy);
      expect(answered.critical).toBeGreaterThan(0.99);
    }
  });

  it('is plotted with a legend entry for every strategy', () => {
    const run = simulate(short, adaptive('gradient', {}));
    const svg = plot('A title', short, [simulate(short, unlimited), run]);
    expect(svg.match(/<polyline/g)).toHaveLength(3);
    expect(svg).toContain(`gradient: ${(run.share * 100).toFixed(0)} % of capacity`);
  });
});
