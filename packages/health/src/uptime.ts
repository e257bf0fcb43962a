/** Uptime of a check over one window. */
export interface Uptime {
  /** Length of the window, in milliseconds. */
  readonly windowMs: number;
  /** Part of the window that is covered by probes, in milliseconds. */
  readonly coveredMs: number;
  /** Share of the covered time, 0 to 1, in which the check was not unhealthy. Undefined if nothing is covered. */
  readonly ratio: number | undefined;
}

/** Slices per window. The window is exact to one slice. */
const SLICES = 60;

/**
 * Time up and time down over a sliding window, in constant memory. A status applies from its probe to
 * the next one. Times are monotonic milliseconds.
 */
export class UptimeWindow {
  readonly windowMs: number;
  readonly #sliceMs: number;
  // One extra slice, because the oldest and the newest are both only partly in the window.
  readonly #up = new Float64Array(SLICES + 1);
  readonly #down = new Float64Array(SLICES + 1);
  /** Index since time 0 of the newest slice written. */
  #newest = Number.NEGATIVE_INFINITY;

  constructor(windowMs: number) {
    this.windowMs = windowMs;
    this.#sliceMs = windowMs / SLICES;
  }

  /** Adds a period that is later than all periods added before. */
  add(up: boolean, from: number, to: number): void {
    const tally = up ? this.#up : this.#down;
    const start = Math.max(from, to - this.windowMs);
    const last = Math.floor(to / this.#sliceMs);
    for (let slice = Math.floor(start / this.#sliceMs); slice <= last; slice++) {
      const begin = Math.max(start, slice * this.#sliceMs);
      const end = Math.min(to, (slice + 1) * this.#sliceMs);
      if (end <= begin) continue;
      this.#advance(slice);
      const index = slice % (SLICES + 1);
      tally[index] = (tally[index] as number) + (end - begin);
    }
  }

  /**
   * @param openUp - whether the check is up since `openFrom`; undefined before the first probe
   * @param openFrom - time of the last probe
   */
  read(now: number, openUp?: boolean, openFrom?: number): Uptime {
    let up = 0;
    let down = 0;
    const first = Math.floor((now - this.windowMs) / this.#sliceMs);
    for (let slice = Math.max(first, this.#newest - SLICES, 0); slice <= this.#newest; slice++) {
      // Only a part of the oldest slice is still in the window.
      const share = slice === first ? slice + 1 - (now - this.windowMs) / this.#sliceMs : 1;
      up += (this.#up[slice % (SLICES + 1)] as number) * share;
      down += (this.#down[slice % (SLICES + 1)] as number) * share;
    }
    if (openUp !== undefined && openFrom !== undefined) {
      const open = now - Math.max(openFrom, now - this.windowMs);
      if (openUp) up += open;
      else down += open;
    }
    const covered = up + down;
    return {
      windowMs: this.windowMs,
      coveredMs: Math.min(covered, this.windowMs),
      ratio: covered === 0 ? undefined : up / covered,
    };
  }

  #advance(slice: number): void {
    if (slice <= this.#newest) return;
    for (let empty = Math.max(this.#newest + 1, slice - SLICES, 0); empty <= slice; empty++) {
      this.#up[empty % (SLICES + 1)] = 0;
      this.#down[empty % (SLICES + 1)] = 0;
    }
    this.#newest = slice;
  }
}
