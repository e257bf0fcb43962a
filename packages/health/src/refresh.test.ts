import { ManualClock, seededRandom, settle } from '@temper/testkit';
import { describe, expect, it, vi } from 'vitest';
import { healthMonitor } from './monitor.ts';

describe('background refresh', () => {
  it('starts no background probe before start()', async () => {
    const clock = new ManualClock();
    const check = vi.fn(() => true);
    healthMonitor({ clock, checks: [{ name: 'db', check }] });
    await clock.advance(3_600_000);
    expect(check).not.toHaveBeenCalled();
    expect(clock.pending).toBe(0);
  });

  it('probes immediately on start() and then at refreshMs with jitter', async () => {
    const clock = new ManualClock();
    const random = seededRandom(7);
    const times: number[] = [];
    const monitor = healthMonitor({
      clock,
      random,
      refreshJitter: 0.2,
      checks: [{ name: 'db', refreshMs: 1000, check: () => void times.push(clock.monotonic()) }],
    });
    monitor.start();
    await clock.advance(100_000);
    const gaps = times.slice(1).map((time, index) => time - (times[index] as number));
    expect(times[0]).toBe(1000);
    expect(gaps.length).toBeGreaterThan(80);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(800);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1200);
    expect(new Set(gaps).size).toBeGreaterThan(70);
  });

  it('answers requests from background results', async () => {
    const clock = new ManualClock();
    const check = vi.fn(() => true);
    const monitor = healthMonitor({
      clock,
      ttlMs: 0,
      checks: [{ name: 'db', refreshMs: 10_000, check }],
    });
    monitor.start();
    await settle();
    for (let second = 0; second < 8; second++) {
      await clock.advance(1000);
      await monitor.check();
    }
    expect(check).toHaveBeenCalledTimes(1);
  });

  it('probes a check with refreshMs: Infinity on demand only', async () => {
    const clock = new ManualClock();
    const check = vi.fn(() => true);
    const monitor = healthMonitor({
      clock,
      checks: [{ name: 'db', refreshMs: Number.POSITIVE_INFINITY, ttlMs: 0, check }],
    });
    monitor.start();
    await clock.advance(60_000);
    expect(check).not.toHaveBeenCalled();
    await monitor.check();
    await monitor.check();
    expect(check).toHaveBeenCalledTimes(2);
  });

  it('unreferences background timers unless a caller waits for the probe', async () => {
    const clock = new ManualClock();
    const monitor = healthMonitor({
      clock,
      checks: [{ name: 'db', check: () => new Promise(() => {}) }],
    });
    monitor.start();
    await settle();
    expect(clock.pending).toBe(2); // the next background probe, and the timeout of this one
    expect(clock.pendingRefed).toBe(0);
    void monitor.check();
    expect(clock.pendingRefed).toBe(1);
  });

  it('starts background probes of a check registered later and stops those of a removed one', async () => {
    const clock = new ManualClock();
    const monitor = healthMonitor({ clock });
    using _running = monitor.start();
    const check = vi.fn(() => true);
    monitor.register({ name: 'late', check });
    await settle();
    expect(check).toHaveBeenCalledTimes(1);
    monitor.unregister('late');
    await clock.advance(60_000);
    expect(check).toHaveBeenCalledTimes(1);
    expect(clock.pending).toBe(0);
  });

  it('runs background probes once for two calls of start() and restarts after stop()', async () => {
    const clock = new ManualClock();
    const check = vi.fn(() => true);
    const monitor = healthMonitor({ clock, checks: [{ name: 'db', refreshMs: 1000, check }] });
    monitor.start();
    monitor.start();
    await settle();
    expect(check).toHaveBeenCalledTimes(1);
    monitor.stop();
    await clock.advance(10_000);
    expect(check).toHaveBeenCalledTimes(1);
    monitor.start();
    await settle();
    expect(check).toHaveBeenCalledTimes(2);
  });

  it('probes on demand if a background probe was missed', async () => {
    const clock = new ManualClock();
    const check = vi.fn(() => true);
    const monitor = healthMonitor({
      clock,
      refreshJitter: 0,
      checks: [{ name: 'db', refreshMs: 1000, timeoutMs: 500, check }],
    });
    monitor.start();
    await settle();
    clock.jump(1501); // as after a blocked event loop: the timer is due and has not run
    await monitor.check();
    expect(check).toHaveBeenCalledTimes(2);
  });
});
