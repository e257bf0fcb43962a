import type { Clock, Random } from '@temper/core';
import type { Scheduled } from '@temper/core/policy';
import type { Probe } from './probe.ts';

/**
 * Probes each check in the background at its own interval, with jitter. Its timers do not keep the
 * process alive.
 */
export class Refresher {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #jitter: number;
  readonly #timers = new Map<Probe, Scheduled>();

  constructor(clock: Clock, random: Random, jitter: number) {
    this.#clock = clock;
    this.#random = random;
    this.#jitter = jitter;
  }

  /** Whether this check is probed in the background. */
  has(probe: Probe): boolean {
    return this.#timers.has(probe);
  }

  /** Starts with an immediate probe. Does nothing for a check without an interval. */
  add(probe: Probe): void {
    if (probe.check.refreshMs === Number.POSITIVE_INFINITY || this.has(probe)) return;
    this.#arm(probe);
    void probe.run(0, true);
  }

  remove(probe: Probe): void {
    this.#timers.get(probe)?.cancel();
    this.#timers.delete(probe);
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  /**
   * Age in milliseconds from which a result shows that a background probe was missed. Without such
   * probes, the age up to which a result may stand in for a probe in progress.
   */
  maxAgeMs(probe: Probe): number {
    const { refreshMs, timeoutMs, ttlMs } = probe.check;
    const everyMs = refreshMs === Number.POSITIVE_INFINITY ? 0 : refreshMs * (1 + this.#jitter);
    return Math.max(ttlMs, everyMs) + timeoutMs;
  }

  #arm(probe: Probe): void {
    const spread = 1 + this.#jitter * (2 * this.#random() - 1);
    const timer = this.#clock.schedule(() => {
      this.#arm(probe);
      void probe.run(0, true);
    }, probe.check.refreshMs * spread);
    timer.unref();
    this.#timers.set(probe, timer);
  }
}
