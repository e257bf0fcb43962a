/** How a check did over one window of time. */
export interface Uptime {
  /** Length of the window, in milliseconds. */
  readonly windowMs: number;
  /** Part of the window about which something is known, in milliseconds. */
  readonly coveredMs: number;
  /** Share of the covered time in which the check was not unhealthy, 0 to 1; undefined without any. */
  readonly ratio: number | undefined;
}

/** A window is kept in so many slices: its edge is exact to one sixtieth of it. */
const SLICES = 60;

/**
 * Time up and time down over a sliding window, in constant memory however often the check is probed.
 * A status holds from the probe that found it to the next one. Times are monotonic milliseconds.
 */
export class UptimeWindow {
  readonly windowMs: number;
  readonly #sliceMs: number;
  // One slice more than the window has, as the oldest and the newest are both only partly inside.
  readonly #up = new Float64Array(SLICES + 1);
  readonly #down = new Float64Array(SLICES + 1);
  /** Number, since time 0, of the newest slice written. */
  #newest = Number.NEGATIVE_INFINITY;

  constructor(windowMs: number) {
    this.windowMs = windowMs;
    this.#sliceMs = windowMs / SLICES;
  }

  /** Adds a stretch of time that is later than everything added before. */
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

  /** @param openUp - status since `openFrom`, the time of the last probe; undefined before any */
  read(now: number, openUp?: boolean, openFrom?: number): Uptime {
    let up = 0;
    let down = 0;
    const first = Math.floor((now - this.windowMs) / this.#sliceMs);
    for (let slice = Math.max(first, this.#newest - SLICES, 0); slice <= this.#newest; slice++) {
      // Of the oldest slice, the part that is still inside the window.
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
