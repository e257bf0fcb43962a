import { type EventLoopUtilization, performance } from 'node:perf_hooks';

/** Lowest and highest value that a measurement may have. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** What {@link Bracket} reads before and after somebody else's reading. */
interface Reading {
  readonly loop: EventLoopUtilization;
  readonly cpuMs: number;
  readonly atMs: number;
}

function read(): Reading {
  const { user, system } = process.cpuUsage();
  return {
    loop: performance.eventLoopUtilization(),
    cpuMs: (user + system) / 1000,
    atMs: performance.now(),
  };
}

/**
 * Bounds of what somebody measures from one reading to the next, by readings of our own right before and
 * right after each of theirs. They hold however slow and busy the machine is.
 */
export class Bracket {
  #before: readonly [Reading, Reading] | undefined;

  /** @param take - reads without leaving the present iteration of the event loop */
  async around<T>(
    take: () => Promise<T>,
  ): Promise<{ value: T; loop: Bounds; cpu: Bounds; idleMs: number }> {
    const first = read();
    const value = await take();
    const second = read();
    const [early, late] = this.#before ?? [first, first];
    this.#before = [first, second];
    const idleMs = first.loop.idle - late.loop.idle;
    const share = (activeMs: number): number => activeMs / (activeMs + idleMs);
    return {
      value,
      idleMs,
      loop: {
        min: share(first.loop.active - late.loop.active),
        max: share(second.loop.active - early.loop.active),
      },
      cpu: {
        min: (first.cpuMs - late.cpuMs) / (second.atMs - early.atMs),
        max: (second.cpuMs - early.cpuMs) / (first.atMs - late.atMs),
      },
    };
  }
}
